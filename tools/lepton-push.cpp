// lepton-push: publishes files to several clouds at once, verified, and brings them back.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/inputs.h"
#include "cli/lock.h"
#include "cli/signals.h"
#include "io/process.h"
#include "io/rows.h"
#include "lepton-push-options.h"
#include "push/collect.h"
#include "push/publish.h"
#include "push/pull.h"
#include "push/retry.h"
#include "push/scratch.h"
#include "push/state.h"

namespace lepton {
namespace {

// What became of one destination.
struct Outcome {
  std::string state = "failed";
  int64_t objects = 0, bytes = 0;
  std::string manifest, script, text;
  Exit status = Exit::ok;
};

struct Job {
  const PushCommand& command;
  const ScratchFolder& scratch;
  std::string links;  // a folder in memory, or ""
  SealOptions seal;
  std::vector<LocalFile> files;
  std::vector<std::string> destinations;
};

std::mutex g_messages;  // destinations speak from threads of their own

void say_warning(const std::string& text) {
  const std::lock_guard hold(g_messages);
  warn(text);
}

std::string given_time(const PushCommand& command) {
  if (!command.time.empty()) return command.time;
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  if (!epoch || !*epoch) return {};
  const auto seconds = parse_int(epoch);
  if (!seconds || *seconds < 0) fail(Exit::usage, "SOURCE_DATE_EPOCH={}: expected seconds since 1970", epoch);
  const std::time_t time = *seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

SealOptions seal_options(const PushCommand& c) {
  SealOptions seal{c.recipients, c.recipient_files, c.identities, c.sign_key, c.allowed_signers, {}};
  seal.stop = [] { return stop_requested() != 0; };
  return seal;
}

bool is_push(const PushCommand& c) { return !c.pull && !c.list && !c.status && !c.verify && !c.rollback; }

// Files and destinations apart: what has a scheme is a destination; where nothing has, the last operand.
void sort_operands(PushCommand& c, std::vector<std::string>& destinations) {
  std::vector<std::string> files;
  for (std::string& operand : c.operands) {
    const bool remote = c.to.empty() && (!is_push(c) || names_destination(operand));
    (remote ? destinations : files).push_back(std::move(operand));
  }
  destinations.insert(destinations.end(), c.to.begin(), c.to.end());
  if (destinations.empty() && !files.empty()) {
    destinations.push_back(std::move(files.back()));
    files.pop_back();
  }
  c.operands = std::move(files);
}

void check_command(const PushCommand& c, const std::vector<std::string>& destinations) {
  const int modes = c.pull + c.list + c.status + c.verify + c.rollback;
  if (modes > 1) fail(Exit::usage, "--pull, --list, --status, --verify and --rollback are one at a time");
  if (destinations.empty()) fail(Exit::usage, "no destination given; see --help");
  if (c.pull && (c.output.empty() || destinations.size() != 1)) {
    fail(Exit::usage, "--pull takes one destination and a folder: lepton-push --pull DEST -o DIR");
  }
  if (!c.pull && !c.output.empty()) fail(Exit::usage, "-o goes with --pull; name destinations as operands");
  const bool inputs = !c.operands.empty() || !c.files_from.empty() || !c.files0_from.empty();
  if (is_push(c) && !inputs) fail(Exit::usage, "no files given for {}; see --help", destinations.front());
  if (!is_push(c) && inputs) fail(Exit::usage, "files are given only when pushing");
  if (!is_release_name(c.release)) {
    fail(Exit::usage, "--name {}: a name is up to 64 letters, digits, '.', '_' or '-'", c.release);
  }
  const auto number = parse_int(c.require);
  if (c.require != "all" && c.require != "any" && (!number || *number < 1)) {
    fail(Exit::usage, "--require {}: expected all, any or a number", c.require);
  }
  const bool seals = !c.recipients.empty() || !c.recipient_files.empty() || !c.sign_key.empty();
  if (c.dry_run && (seals || !is_push(c))) {
    fail(Exit::usage, "--dry-run goes with a push without encryption and signature");
  }
  if (!c.sse.empty() && !(c.sse.starts_with("kms:") && c.sse.size() > 4)) {
    fail(Exit::usage, "--sse {}: expected kms:KEY", c.sse);
  }
  for (const std::string& d : destinations) parse_destination(d);
}

std::vector<LocalFile> collect_files(const PushCommand& c, const CommonOptions& common) {
  std::vector<std::string> listed;
  if (!c.files_from.empty()) listed = read_names(c.files_from, '\n');
  if (!c.files0_from.empty()) {
    const std::vector<std::string> more = read_names(c.files0_from, '\0');
    listed.insert(listed.end(), more.begin(), more.end());
  }
  const unsigned threads =
      common.threads > 0 ? static_cast<unsigned>(common.threads) : std::thread::hardware_concurrency();
  std::vector<LocalFile> files = collect(c.operands, listed,
                                         {.include = c.include,
                                          .exclude = c.exclude,
                                          .threads = static_cast<int>(std::max(1U, threads)),
                                          .warn = [](const std::string& text) { warn(text); }});
  if (files.empty()) fail(Exit::no_input, "no files to publish");
  return files;
}

Outcome outcome_of(const PublishResult& r) {
  Outcome outcome{r.state, r.objects, r.bytes, r.manifest, {}, {}, Exit::ok};
  if (r.state == "conflict") outcome.status = Exit::try_later;
  return outcome;
}

Outcome outcome_of(const PullResult& r) { return {r.state, r.objects, r.bytes, r.manifest, {}, {}, Exit::ok}; }

std::string list_text(const Published& published, bool json) {
  if (!published.known) fail(Exit::usage, "the release is encrypted; give the secret key with --identity FILE");
  std::string text;
  for (const ManifestFile& f : published.manifest.files) {
    if (json) {
      text +=
          nlohmann::json({{"name", f.name}, {"size", f.size}, {"sha256", f.sha256}, {"type", f.type}}).dump() + "\n";
    } else {
      text += tsv_row(std::vector<std::string>{f.name, std::to_string(f.size), f.sha256, f.type});
    }
  }
  return text;
}

std::string status_text(Store& store, const std::string& destination, bool json) {
  std::string text;
  for (const Pointer& pointer : store.read_pointers(store.remote().list("releases/"))) {
    for (size_t i = 0; i < pointer.releases.size(); ++i) {
      const Release& r = pointer.releases[i];
      if (json) {
        text += nlohmann::json({{"destination", destination},
                                {"name", pointer.name},
                                {"back", i},
                                {"time", r.time},
                                {"objects", r.objects},
                                {"bytes", r.bytes},
                                {"manifest", r.manifest},
                                {"encrypted", r.encrypted},
                                {"signed", !r.signature.empty()}})
                    .dump() +
                "\n";
      } else {
        const std::string marks =
            std::string(r.encrypted ? "encrypted" : "plain") + (r.signature.empty() ? "" : ",signed");
        text +=
            tsv_row(std::vector<std::string>{destination, pointer.name, std::to_string(i), r.time,
                                             std::to_string(r.objects), std::to_string(r.bytes), r.manifest, marks});
      }
    }
  }
  return text;
}

Outcome work(const Job& job, Store& store, const std::string& destination, Sealer& sealer, std::string& script) {
  const PushCommand& c = job.command;
  const PullOptions reading{
      .release = c.release, .include = c.include, .exclude = c.exclude, .only = {}, .seal = job.seal};
  if (c.rollback) return outcome_of(roll_back(store, c.release));
  if (c.pull) return outcome_of(pull(store, c.output, reading));
  if (c.verify) return outcome_of(verify(store, reading, c.deep));
  Outcome outcome;
  if (c.list) outcome.text = list_text(store.require(c.release, job.seal), c.json);
  if (c.status) outcome.text = status_text(store, destination, c.json);
  if (c.list || c.status) return outcome;
  const PublishOptions options{.release = c.release,
                               .time = given_time(c),
                               .remove_missing = c.remove_missing,
                               .deep = c.deep,
                               .keep = c.keep,
                               .grace_seconds = c.grace,
                               .state_folder = c.state.empty() ? default_state_folder() : c.state,
                               .script = c.dry_run ? &script : nullptr,
                               .warn = say_warning,
                               .detail = [](const std::string& text) {
                                 const std::lock_guard hold(g_messages);
                                 detail(text);
                               }};
  return outcome_of(publish(store, destination, job.files, sealer, options));
}

// One destination, from a thread of its own; what fails there is its own outcome and stops no other.
Outcome attend(const Job& job, size_t index, Sealer& sealer) {
  const PushCommand& c = job.command;
  const std::string& text = job.destinations[index];
  const std::string folder = fmt::format("{}/d{}", job.scratch.path(), index);
  std::string script;
  Outcome outcome;
  try {
    RemoteOptions options{.timeout_seconds = c.timeout,
                          .parallel = c.parallel,
                          .sse = c.sse,
                          .stop = [] { return stop_requested() != 0; },
                          .staging = folder + "/staging",
                          .links = job.links.empty() ? "" : fmt::format("{}/d{}", job.links, index),
                          .script = c.dry_run ? &script : nullptr};
    const std::unique_ptr<Remote> remote =
        with_retries(open_remote(parse_destination(text), options), c.retries, options.stop);
    Store store(*remote, text, folder, options.script);
    outcome = work(job, store, text, sealer, script);
    if (outcome.state == "conflict") {
      const std::lock_guard hold(g_messages);
      complain(text + ": another run published at the same time and was faster; nothing was changed, push again");
    }
  } catch (const Error& error) {
    // A destination that cannot even be read is one that could not be written.
    outcome.status = is_push(c) && error.status() == Exit::no_input ? Exit::output : error.status();
    const std::lock_guard hold(g_messages);
    complain(error.what());
  } catch (const std::exception& error) {
    outcome.status = Exit::bug;
    const std::lock_guard hold(g_messages);
    complain(text + ": a bug, please report: " + error.what());
  }
  outcome.script = std::move(script);
  return outcome;
}

std::string result_line(const std::string& destination, const Outcome& o, bool json) {
  if (json) {
    return nlohmann::json({{"destination", destination},
                           {"state", o.state},
                           {"objects", o.objects},
                           {"bytes", o.bytes},
                           {"manifest", o.manifest}})
               .dump() +
           "\n";
  }
  return tsv_row(
      std::vector<std::string>{destination, o.state, std::to_string(o.objects), std::to_string(o.bytes), o.manifest});
}

void print_script(const Job& job, const std::vector<Outcome>& outcomes) {
  print("set -eu\n" + shell_quoted({"mkdir", "-p", job.scratch.path()}) + "\ntrap " +
        shell_quoted(shell_quoted({"rm", "-rf", job.scratch.path()})) + " EXIT\n");
  for (size_t i = 0; i < outcomes.size(); ++i) {
    print("\n# " + escape_tsv(job.destinations[i]) + ": " + outcomes[i].state + "\n" + outcomes[i].script);
  }
}

Exit decide(const PushCommand& c, const std::vector<Outcome>& outcomes) {
  const auto good = [](const Outcome& o) { return o.status == Exit::ok; };
  const int64_t successes = std::count_if(outcomes.begin(), outcomes.end(), good);
  const int64_t all = std::ssize(outcomes);
  const int64_t needed = c.require == "all" ? all : c.require == "any" ? 1 : std::min(all, *parse_int(c.require));
  if (successes >= needed) return Exit::ok;
  return std::find_if_not(outcomes.begin(), outcomes.end(), good)->status;
}

Exit run(PushCommand& command, const CommonOptions& common) {
  std::vector<std::string> destinations;
  sort_operands(command, destinations);
  check_command(command, destinations);
  const Lock lock(common.lock, common.lock_wait);
  std::vector<LocalFile> files;
  if (is_push(command)) files = collect_files(command, common);
  // A script makes its folder again, unlocked: under a name that other runs do not take for a leftover.
  const ScratchFolder scratch("", command.dry_run ? "lepton-script" : kScratchName);
  std::optional<ScratchFolder> links;
  if (const std::string memory = memory_folder(); !memory.empty() && !command.dry_run) links.emplace(memory);
  const Job job{
      command, scratch, links ? links->path() : "", seal_options(command), std::move(files), std::move(destinations)};
  Sealer sealer(job.seal, scratch.path() + "/sealed");
  std::vector<Outcome> outcomes(job.destinations.size());
  std::vector<std::thread> crew;
  crew.reserve(outcomes.size());
  for (size_t i = 0; i < outcomes.size(); ++i) {
    crew.emplace_back([&, i] { outcomes[i] = attend(job, i, sealer); });
  }
  for (std::thread& t : crew) t.join();
  if (command.dry_run) {
    print_script(job, outcomes);
  } else {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const bool told = command.list || command.status;
      print(told ? outcomes[i].text : result_line(job.destinations[i], outcomes[i], command.json));
    }
  }
  return decide(command, outcomes);
}

}  // namespace
}  // namespace lepton

int main(int argc, char** argv) {
  using namespace lepton;
  return run_main("lepton-push", [&] {
    PushCommand command;
    CommandLine line({.name = "lepton-push",
                      .summary = "Publishes files to several clouds at once, verified, and brings them back.",
                      .usage = "[options] FILE... DEST...\n       lepton-push --pull DEST -o DIR\n"
                               "       lepton-push --list|--status|--verify|--rollback DEST...",
                      .example = "lepton-push model.h5 s3://bucket/models/ gs://bucket/models/",
                      .essential = {"name", "delete", "dry-run", "pull", "output", "list", "status", "verify",
                                    "rollback", "encrypt-to", "sign"},
                      .device = false,
                      .depfile = false});
    add_push_options(line, command);
    if (const auto done = line.parse(argc, argv)) return *done;
    catch_signals(true);
    return run(command, line.common());
  });
}
