#include "lepton-push-options.h"

#include <CLI/App.hpp>

#include "base/error.h"
#include "base/text.h"
#include "push/manifest.h"
#include "push/remote.h"

namespace lepton {
namespace {

CLI::Option* repeatable(CLI::App& app, const char* name, std::vector<std::string>& values, const char* help,
                        const char* type) {
  return app.add_option(name, values, help)
      ->type_name(type)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_modes(CLI::App& app, PushCommand& c) {
  const char* kGroup = "Instead of pushing";
  app.add_flag("--pull", c.pull, "fetch a release from DEST into the folder of -o, checked")->group(kGroup);
  app.add_option("-o,--output", c.output, "where --pull puts the files")->type_name("DIR")->group(kGroup);
  app.add_flag("--list", c.list, "print the files of a release: name, size, SHA-256, type")->group(kGroup);
  app.add_flag("--status", c.status, "print the releases of every name")->group(kGroup);
  app.add_flag("--verify", c.verify, "check that a release is whole")->group(kGroup);
  app.add_flag("--rollback", c.rollback, "move the name back to the release before")->group(kGroup);
}

void add_inputs(CLI::App& app, PushCommand& c) {
  const char* kGroup = "What";
  app.add_option("FILE... DEST...", c.operands,
                 "files and folders, then places: s3://bucket/prefix/, gs://bucket/prefix/,\n"
                 "                              az://account/container/prefix/, file:///folder/ or a folder");
  repeatable(app, "--to", c.to, "one more destination; then every operand is a file", "DEST")->group(kGroup);
  app.add_option("--files-from", c.files_from, "read names of files from FILE, one a line; - = stdin")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--files0-from", c.files0_from, "the same, names ended by NUL")->type_name("FILE")->group(kGroup);
  repeatable(app, "--include", c.include, "only files that match (of the name, or of the path with a /)", "GLOB")
      ->group(kGroup);
  repeatable(app, "--exclude", c.exclude, "no files that match", "GLOB")->group(kGroup);
}

void add_release(CLI::App& app, PushCommand& c) {
  const char* kGroup = "Release";
  app.add_option("--name", c.release, "the name people read it by (latest)")->type_name("NAME")->group(kGroup);
  app.add_flag("--delete", c.remove_missing, "leave out what an earlier release held and this push does not name")
      ->group(kGroup);
  app.add_option("--keep", c.keep, "keep N releases of this name and remove what no release needs")
      ->type_name("N")
      ->check(CLI::Range(1, 100))
      ->group(kGroup);
  app.add_option("--grace", c.grace, "spare what was written less than this ago (86400)")
      ->type_name("SECONDS")
      ->check(CLI::NonNegativeNumber)
      ->group(kGroup);
  app.add_option("--time", c.time, "time to store in the manifest (SOURCE_DATE_EPOCH, or none)")
      ->type_name("TIME")
      ->group(kGroup);
}

void add_privacy(CLI::App& app, PushCommand& c) {
  const char* kGroup = "Privacy";
  repeatable(app, "--encrypt-to", c.recipients, "encrypt for this age or SSH public key; can be repeated", "KEY")
      ->group(kGroup);
  repeatable(app, "--recipients-file", c.recipient_files, "encrypt for every key in FILE", "FILE")->group(kGroup);
  repeatable(app, "--identity", c.identities, "secret key that opens what is encrypted", "FILE")->group(kGroup);
  app.add_option("--state", c.state, "where the names of encrypted files are remembered")
      ->type_name("DIR")
      ->group(kGroup);
  app.add_option("--sign", c.sign_key, "sign the manifest with this SSH key")->type_name("KEYFILE")->group(kGroup);
  app.add_option("--allowed-signers", c.allowed_signers, "refuse (6) what none of them signed, as in ssh-keygen(1)")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--sse", c.sse, "encryption at rest by the provider, with your key")
      ->type_name("kms:KEY")
      ->group(kGroup);
}

void add_running(CLI::App& app, PushCommand& c) {
  const char* kGroup = "How";
  app.add_flag("--dry-run", c.dry_run, "print the commands as a shell script and send nothing")->group(kGroup);
  app.add_flag("--deep", c.deep, "check by reading everything back")->group(kGroup);
  app.add_option("--require", c.require, "destinations that must succeed (all)")->type_name("all|any|N")->group(kGroup);
  app.add_flag("--json", c.json, "results as JSON, one object a line")->group(kGroup);
  app.add_option("--parallel", c.parallel, "client processes a destination at once (4)")
      ->type_name("N")
      ->check(CLI::Range(1, 64))
      ->group(kGroup);
  app.add_option("--retries", c.retries, "attempts after one that failed for a passing reason (4)")
      ->type_name("N")
      ->check(CLI::Range(0, 100))
      ->group(kGroup);
  app.add_option("--timeout", c.timeout, "end a client that takes longer (600)")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber)
      ->group(kGroup);
}

}  // namespace

void add_push_options(CommandLine& line, PushCommand& c) {
  add_inputs(line.app(), c);
  add_release(line.app(), c);
  add_modes(line.app(), c);
  add_privacy(line.app(), c);
  add_running(line.app(), c);
}

bool is_push(const PushCommand& c) { return !c.pull && !c.list && !c.status && !c.verify && !c.rollback; }

std::vector<std::string> sort_operands(PushCommand& c) {
  std::vector<std::string> destinations;
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
  return destinations;
}

void check_push_command(const PushCommand& c, const std::vector<std::string>& destinations) {
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

}  // namespace lepton
