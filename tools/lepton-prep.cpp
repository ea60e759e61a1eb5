// lepton-prep: files of images in, one dataset out; also checks, counts, lists and exports datasets.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <cctype>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/inputs.h"
#include "cli/lock.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "data/dataset.h"
#include "io/files.h"
#include "io/image.h"
#include "lepton-prep-options.h"

namespace lepton {
namespace {

void write_whole(AtomicFile& file, std::span<const uint8_t> bytes) {
  const FileDescriptor out(::open(file.path().c_str(), O_WRONLY | O_CLOEXEC));
  if (!out) fail(Exit::output, "{}: {}", file.target(), std::strerror(errno));
  write_all(out.get(), bytes, file.target());
  file.commit();
}

// "FILE.h5:split" taken apart; a file of exactly that name goes before.
struct DatasetName {
  std::string path;
  std::vector<Split> splits = {Split::train, Split::val, Split::test};

  explicit DatasetName(const std::string& text) : path(text) {
    const size_t colon = text.rfind(':');
    std::error_code ignored;
    if (colon == std::string::npos || std::filesystem::exists(text, ignored)) return;
    path.resize(colon);
    splits.clear();
    for (const std::string& name : split(text.substr(colon + 1), ',')) {
      const auto which = parse_split(name);
      if (!which) fail(Exit::usage, "{}: no split '{}': expected train, val or test", text, name);
      splits.push_back(*which);
    }
  }
};

void print_stats(const std::string& path) {
  const Dataset dataset = Dataset::open(path);
  const std::vector<std::string>& classes = dataset.meta().classes;
  std::array<std::vector<int64_t>, 3> counts;
  for (size_t s = 0; s < counts.size(); ++s) {
    counts[s].resize(classes.size() + 1);
    const SplitData* data = dataset.split(static_cast<Split>(s));
    if (data == nullptr) continue;
    for (const int32_t label : data->labels()) ++counts[s][label < 0 ? classes.size() : static_cast<size_t>(label)];
  }
  print("class\ttrain\tval\ttest\n");
  for (size_t c = 0; c <= classes.size(); ++c) {
    if (c == classes.size() && counts[0][c] + counts[1][c] + counts[2][c] == 0) break;
    print(fmt::format("{}\t{}\t{}\t{}\n", c < classes.size() ? escape_tsv(classes[c]) : "(unlabelled)", counts[0][c],
                      counts[1][c], counts[2][c]));
  }
}

void list_samples(const std::string& text) {
  const DatasetName name(text);
  const Dataset dataset = Dataset::open(name.path);
  for (const Split which : name.splits) {
    const SplitData* data = dataset.split(which);
    for (int64_t i = 0; data != nullptr && i < data->size(); ++i) {
      const int32_t label = data->labels()[static_cast<size_t>(i)];
      const std::string label_name = label < 0 ? "" : dataset.meta().classes[static_cast<size_t>(label)];
      print(fmt::format("{}\t{}\t{}\n", escape_tsv(data->id(i)), escape_tsv(label_name),
                        kSplitNames[static_cast<size_t>(which)]));
    }
  }
}

// Images as "SPLIT-NUMBER-CLASS.png".
void export_images(const std::string& text, const std::string& folder, int64_t limit) {
  const DatasetName name(text);
  const Dataset dataset = Dataset::open(name.path);
  const Shape shape = dataset.sample_shape();
  if (shape.rank() != 3) fail(Exit::mismatch, "{}: holds no images", name.path);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(Exit::output, "{}: cannot be created: {}", folder, error.message());
  Image image{shape[0], shape[1], shape[2], std::vector<uint8_t>(static_cast<size_t>(shape.elements()))};
  for (const Split which : name.splits) {
    const SplitData* data = dataset.split(which);
    const int64_t count = data == nullptr ? 0 : limit > 0 ? std::min(limit, data->size()) : data->size();
    for (int64_t i = 0; i < count; ++i) {
      const int32_t label = data->labels()[static_cast<size_t>(i)];
      std::string class_name = label < 0 ? "unlabelled" : dataset.meta().classes[static_cast<size_t>(label)];
      for (char& c : class_name) c = std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80) ? c : '_';
      AtomicFile file(fmt::format("{}/{}-{:05}-{}.png", folder, kSplitNames[static_cast<size_t>(which)], i,
                                  class_name.substr(0, 100)));
      data->read(i, 1, image.pixels);
      write_whole(file, encode_png(image));
    }
  }
}

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
void keep_inputs(const std::vector<std::unique_ptr<Source>>& sources, const std::string& output) {
  std::error_code ignored;
  for (const auto& source : sources) {
    for (const std::string& file : source->files) {
      if (std::filesystem::equivalent(file, output, ignored)) {
        fail(Exit::usage, "{}: is an input too: name another output", output);
      }
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
  std::string text = fmt::format("{} images {}x{} {}, {} classes:", with_commas(result.samples), result.sample[1],
                                 result.sample[0], result.sample[2] == 1 ? "gray" : "RGB", result.classes.size());
  for (size_t s = 0; s < result.in_split.size(); ++s) {
    if (result.in_split[s] > 0) text += fmt::format(" {} {}", kSplitNames[s], with_commas(result.in_split[s]));
  }
  if (result.errors > 0) text += fmt::format("; {} bad inputs skipped", with_commas(result.errors));
  return text;
}

std::vector<std::unique_ptr<Source>> open_all(const PrepCommand& command) {
  const SourceLimits limits{command.max_file_bytes, command.max_members};
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

void make_dataset(const PrepCommand& command, const CommonOptions& common) {
  PrepOptions options = prep_options(command);
  options.seed = common.seed;
  options.threads = common.threads > 0 ? common.threads : usable_threads();
  options.version = LEPTON_VERSION;
  const Lock lock(common.lock, common.lock_wait);
  const std::vector<std::unique_ptr<Source>> sources = open_all(command);
  keep_inputs(sources, command.output);
  if (command.error_report == command.output) fail(Exit::usage, "--error-report and -o name the same file");

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
  const PrepResult result = prepare(sources, command.output, options, hooks);
  progress.reset();
  note(describe(result));
  if (!common.depfile.empty()) write_depfile(common.depfile, command.output, dependencies(sources, command));
  if (command.stats) print_stats(command.output);
}

Exit run(int argc, char** argv) {
  PrepCommand command;
  CommandLine line({.name = "lepton-prep",
                    .summary = "Turns files of images into a dataset.",
                    .usage = "[options] -o OUT.h5 INPUT...",
                    .example = "lepton-prep photos/ --size 32x32 --resize crop -o photos.h5",
                    .essential = {"output", "size", "resize", "split", "split-key", "labels", "files-from",
                                  "max-errors", "check", "stats", "threads"},
                    .device = false});
  add_prep_options(line.app(), command);
  if (const std::optional<Exit> done = line.parse(argc, argv)) return *done;
  catch_signals(false);
  check_prep_command(command);
  if (!command.check.empty()) {
    Dataset::open(command.check).verify();
    note(fmt::format("{}: whole and sound", command.check));
  } else if (!command.list.empty()) {
    list_samples(command.list);
  } else if (!command.export_to.empty()) {
    export_images(command.inputs[0], command.export_to, command.export_limit);
  } else if (command.output.empty()) {
    print_stats(command.inputs[0]);
  } else {
    make_dataset(command, line.common());
  }
  return Exit::ok;
}

}  // namespace
}  // namespace lepton

int main(int argc, char** argv) {
  return lepton::run_main("lepton-prep", [&] { return lepton::run(argc, argv); });
}
