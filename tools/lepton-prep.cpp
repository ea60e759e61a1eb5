// lepton-prep: files in, one dataset out; also checks, counts, lists and exports datasets.
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/inputs.h"
#include "cli/lock.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "data/known_recipe.h"
#include "data/prep_medium.h"
#include "io/files.h"
#include "lepton-prep-datasets.h"
#include "lepton-prep-kinds.h"
#include "lepton-prep-options.h"
#include "push/reference.h"

namespace lepton {
namespace {

constexpr size_t kShownErrors = 20;

// Every bad input to the report file, the first of them to standard error.
void report_errors(const std::vector<InputError>& errors, const std::string& file_name) {
  for (size_t i = 0; i < std::min(errors.size(), kShownErrors); ++i) {
    warn(fmt::format("{}: {}", escape_tsv(errors[i].id), errors[i].message));
  }
  if (errors.size() > kShownErrors) {
    warn(fmt::format("and {} more bad inputs{}", with_commas(std::ssize(errors) - static_cast<int64_t>(kShownErrors)),
                     file_name.empty() ? ": --error-report FILE lists all" : ", listed in " + file_name));
  }
  if (file_name.empty()) return;
  std::string text;
  for (const InputError& error : errors) text += escape_tsv(error.id) + '\t' + escape_tsv(error.message) + '\n';
  AtomicFile file(file_name);
  write_whole(file, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// An output must be none of the files read.
void keep_input(const std::string& file, const std::string& output) {
  std::error_code ignored;
  if (std::filesystem::equivalent(file, output, ignored)) {
    fail(Exit::usage, "{}: is an input too: name another output", output);
  }
}

void keep_inputs(const std::vector<std::unique_ptr<Source>>& sources, const std::string& output) {
  std::error_code ignored;
  if (!std::filesystem::exists(output, ignored)) return;
  const std::string name = std::filesystem::path(output).filename();
  for (const auto& source : sources) {
    for (const std::string& file : source->files) keep_input(file, output);
    if (!source->items_are_files) continue;
    source->rewind();
    for (Item item; source->next(item);) {
      if (item.id.ends_with(name)) keep_input(source->root + item.id, output);
    }
  }
}

// Every file a run depends on.
std::vector<std::string> dependencies(const std::vector<std::unique_ptr<Source>>& sources, const PrepCommand& command) {
  std::vector<std::string> files;
  for (const std::string& file : {command.files_from, command.files0_from, command.labels}) {
    if (!file.empty() && file != "-") files.push_back(file);
  }
  for (const auto& source : sources) {
    for (const std::string& file : source->files) {
      if (file != "-") files.push_back(file);
    }
    if (!source->items_are_files) continue;
    source->rewind();
    for (Item item; source->next(item);) files.push_back(source->root + item.id);
  }
  return files;
}

std::string describe(const PrepResult& result) {
  std::string text = fmt::format("{} {}, ", with_commas(result.samples), result.what);
  text += result.targets > 0 ? fmt::format("{} target{}:", result.targets, result.targets == 1 ? "" : "s")
                             : fmt::format("{} classes:", result.classes.size());
  for (size_t s = 0; s < result.in_split.size(); ++s) {
    if (result.in_split[s] > 0) text += fmt::format(" {} {}", kSplitNames[s], with_commas(result.in_split[s]));
  }
  if (result.cut > 0) text += fmt::format("; {} texts cut at that length", with_commas(result.cut));
  if (result.errors > 0) text += fmt::format("; {} bad inputs skipped", with_commas(result.errors));
  return text;
}

std::vector<std::unique_ptr<Source>> open_all(const PrepCommand& command, bool text) {
  const int64_t most_bytes = text ? std::min(command.max_file_bytes, command.text.max_text) : command.max_file_bytes;
  const SourceLimits limits{most_bytes, command.max_members};
  std::vector<std::unique_ptr<Source>> sources = open_sources(prep_inputs(command), limits);
  for (const auto& [list, nul] : {std::pair{command.files_from, false}, {command.files0_from, true}}) {
    if (list.empty()) continue;
    const std::vector<std::string> paths = read_names(list, nul ? '\0' : '\n');
    if (!paths.empty()) sources.push_back(open_list(paths, limits));
  }
  if (sources.empty()) fail(Exit::no_input, "the list of inputs is empty");
  return sources;
}

int usable_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// Speaks to the user while `prepare_all` runs.
PrepResult with_progress(const PrepCommand& command, const std::function<PrepResult(const PrepHooks&)>& prepare_all) {
  std::optional<Progress> progress;
  std::string stage;
  PrepHooks hooks;
  hooks.warn = warn;
  hooks.note = note;
  hooks.detail = detail;
  hooks.progress = [&](const char* what, int64_t done, int64_t total) {
    if (stage != what) progress.emplace(stage = what);
    progress->update(done, std::max<int64_t>(total, 0));
  };
  hooks.report = [&](const std::vector<InputError>& errors) { report_errors(errors, command.error_report); };
  return prepare_all(hooks);
}

// What content and --recipe together say. Error(mismatch) where they do not agree.
std::string settled_kind(const PrepCommand& command, const KnownRecipe* known) {
  if (known == nullptr) return kind_of(command);
  const bool files = known->kind == "image" || known->kind == "audio";
  const std::string found = files && command.type.empty() ? kind_of(command) : known->kind;
  if (files && (found == "text" || found == "table"))
    refuse_kind(*known, prep_inputs(command)[0].path, found == "text" ? "texts" : "a table");
  return known->kind;
}

void make_dataset(const PrepCommand& command, const CommandLine& line, const CommonOptions& common) {
  PrepOptions options = prep_options(command);
  options.seed = common.seed;
  options.threads = common.threads > 0 ? common.threads : usable_threads();
  options.version = LEPTON_VERSION;
  const Lock lock(common.lock, common.lock_wait);
  if (command.error_report == command.output) fail(Exit::usage, "--error-report and -o name the same file");
  std::optional<KnownRecipe> known;
  if (!command.recipe.empty()) {
    keep_input(command.recipe, command.output);
    known = read_known_recipe(local_copy(command.recipe, stop_requested));
    check_settled(line, command, *known);
    options.known = &*known;
  }
  std::vector<std::string> files;
  if (!command.recipe.empty() && command.recipe != "-") files.push_back(command.recipe);
  PrepResult result;
  const std::string kind = settled_kind(command, options.known);
  if (kind == "text" && options.known == nullptr) check_tokens(line, tokens_of(command.text));
  const TextInputs texts = kind == "text" ? text_inputs(prep_inputs(command)) : TextInputs{};
  if (!texts.lines.empty()) {
    check_kind(line, InputKind::lines);
    for (const InputSpec& file : texts.lines) files.push_back(file.path);
    result = with_progress(command, [&](const PrepHooks& hooks) {
      return prepare_lines(command.text, command.label, texts.lines, command.output, options, hooks);
    });
  } else if (kind == "table") {
    check_kind(line, InputKind::tables);
    const std::vector<InputSpec> inputs = prep_inputs(command);
    for (const InputSpec& input : inputs) keep_input(input.path, command.output);
    result = with_progress(command, [&](const PrepHooks& hooks) {
      return prepare_table(command.table, command.label, inputs, command.output, options, hooks, files);
    });
  } else {
    std::vector<std::unique_ptr<Source>> sources = open_all(command, kind == "text");
    keep_inputs(sources, command.output);
    if (!common.depfile.empty()) {
      for (const std::string& file : dependencies(sources, command)) files.push_back(file);
    }
    if (kind == "text") {
      check_kind(line, InputKind::documents);
    } else {
      if (options.known == nullptr && options.type.empty()) options.type = kind_of_files(sources);
      const bool audio = (options.known != nullptr ? kind : options.type) == "audio";
      check_kind(line, audio ? InputKind::recordings : InputKind::images);
    }
    result = with_progress(command, [&](const PrepHooks& hooks) {
      return kind == "text" ? prepare_documents(command.text, std::move(sources), command.output, options, hooks)
                            : prepare(sources, command.output, options, hooks);
    });
  }
  note(describe(result));
  if (result.lost_colour > 0) {
    warn(fmt::format("{} of {} images are in colour and were turned gray, as the recipe's own were by themselves",
                     with_commas(result.lost_colour), with_commas(result.samples)));
  }
  if (!common.depfile.empty()) write_depfile(common.depfile, command.output, files);
  if (command.stats) print_stats(command.output);
}

Exit run(int argc, char** argv) {
  PrepCommand command;
  CommandLine line({.name = "lepton-prep",
                    .summary = "Turns images, recordings, texts or tables into a dataset.",
                    .usage = "[options] -o OUT.h5 INPUT...",
                    .example = "lepton-prep photos/ --size 32x32 --resize crop -o photos.h5",
                    .essential = {"output", "size", "resize", "split", "split-key", "labels", "files-from",
                                  "max-errors", "check", "stats", "threads"},
                    .device = false});
  add_prep_options(line.app(), command);
  if (const std::optional<Exit> done = line.parse(argc, argv)) return *done;
  catch_signals(false);
  check_prep_command(command, line);
  if (!command.check.empty()) {
    Dataset::open(local_copy(command.check, stop_requested)).verify();
    note(fmt::format("{}: whole and sound", command.check));
  } else if (!command.list.empty()) {
    list_samples(command.list);
  } else if (!command.export_to.empty()) {
    export_images(command.inputs[0], command.export_to, command.export_limit);
  } else if (command.output.empty()) {
    print_stats(command.inputs[0]);
  } else {
    make_dataset(command, line, line.common());
  }
  return Exit::ok;
}

}  // namespace
}  // namespace lepton

int main(int argc, char** argv) {
  return lepton::run_main("lepton-prep", [&] { return lepton::run(argc, argv); });
}
