#include "lepton-prep-options.h"

#include <CLI/App.hpp>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "lepton-prep-kinds.h"

namespace lepton {

void add_prep_options(CLI::App& app, PrepCommand& c) {
  app.add_option("INPUT", c.inputs,
                 "folders, archives, IDX files, CIFAR-10 batches, images, recordings, tables; - = stdin");
  app.add_option("-o,--output", c.output, "the dataset to write; - = stdout")->type_name("FILE");

  const char* kInputs = "Inputs";
  app.add_option("--train", c.train, "an input that is training data")->type_name("INPUT")->group(kInputs);
  app.add_option("--val", c.val, "an input that is validation data")->type_name("INPUT")->group(kInputs);
  app.add_option("--test", c.test, "an input that is test data")->type_name("INPUT")->group(kInputs);
  for (CLI::Option* option : {app.get_option("--train"), app.get_option("--val"), app.get_option("--test")}) {
    option->expected(1)->take_all();
  }
  app.add_option("--files-from", c.files_from, "read names of files from FILE, one a line; - = stdin")
      ->type_name("FILE")
      ->group(kInputs);
  app.add_option("--files0-from", c.files0_from, "the same, names ended by NUL")->type_name("FILE")->group(kInputs);
  app.add_option("--labels", c.labels, "labels from a TSV: id, tab, label")->type_name("FILE")->group(kInputs);
  app.add_option("--label-regex", c.label_regex, "labels from file names: the group of REGEX, such as '^([0-9])_'")
      ->type_name("REGEX")
      ->group(kInputs);
  app.add_option("--class-names", c.class_names, "names of numbered classes, and the order of all, separated by commas")
      ->type_name("A,B,...")
      ->group(kInputs);
  app.add_option("--type", c.type, "kind of the data: image, audio, text or table (by content)")
      ->type_name("KIND")
      ->group(kInputs);
  app.add_option("--label", c.label, "column of the label (label, target or class, else the last; of texts label)")
      ->type_name("NAME")
      ->group(kInputs);
  app.add_option("--recipe", c.recipe,
                 "prepare exactly as this model or dataset was: same columns, tokens, size, classes")
      ->type_name("FILE.h5")
      ->group(kInputs);

  const char* kSplits = "Splits";
  app.add_option("--split", c.split, "percent of train/val/test where none are given (80/10/10)")
      ->type_name("T/V/T")
      ->group(kSplits);
  app.add_option("--split-key", c.split_key,
                 "keep files together whose names agree in what REGEX matches; rows, by COLUMN")
      ->type_name("REGEX|COLUMN")
      ->group(kSplits);

  const char* kImages = "Images";
  app.add_option("--size", c.size, "width and height of every sample")->type_name("WxH")->group(kImages);
  app.add_option("--resize", c.resize, "how to reach it: fit (pads), crop or stretch (fit)")
      ->type_name("MODE")
      ->group(kImages);
  app.add_flag("--gray", c.gray, "turn colour into gray")->group(kImages);
  app.add_option("--max-pixels", c.max_pixels, "refuse larger images (100 million)")->type_name("N")->group(kImages);

  add_audio_options(app, c.audio);
  add_text_options(app, c.text);
  add_table_options(app, c.table);

  const char* kBad = "Bad input and limits";
  app.add_option("--max-errors", c.max_errors, "bad inputs to skip before giving up: a number or a share (1%)")
      ->type_name("N|N%")
      ->group(kBad);
  app.add_option("--error-report", c.error_report, "write every bad input and its fault to FILE")
      ->type_name("FILE.tsv")
      ->group(kBad);
  app.add_option("--max-members", c.max_members, "refuse archives of more members (10 million)")
      ->type_name("N")
      ->group(kBad);
  app.add_option("--max-file-bytes", c.max_file_bytes, "refuse larger files and archive members (256 MiB)")
      ->type_name("N")
      ->group(kBad);

  const char* kDatasets = "Datasets";
  app.add_option("--check", c.check, "read a whole dataset and verify it")->type_name("FILE.h5")->group(kDatasets);
  app.add_flag("--stats", c.stats, "print samples per class and split, of the dataset written or given")
      ->group(kDatasets);
  app.add_option("--list", c.list, "print id, label and split of every sample")
      ->type_name("FILE.h5[:split]")
      ->group(kDatasets);
  app.add_option("--export", c.export_to, "write the images of a dataset (FILE.h5[:split]) as PNG into DIR")
      ->type_name("DIR")
      ->group(kDatasets);
  app.add_option("--export-limit", c.export_limit, "only the first N of each split")->type_name("N")->group(kDatasets);
}

namespace {

std::pair<int64_t, int64_t> parse_size(const std::string& text) {
  const std::vector<std::string> parts = split(text, 'x');
  const auto width = parse_int(parts[0]), height = parse_int(parts.back());
  constexpr int64_t kMostSide = 16384;
  if (parts.size() != 2 || !width || !height || *width < 1 || *height < 1 || *width > kMostSide ||
      *height > kMostSide) {
    fail(Exit::usage, "--size {}: expected WIDTHxHEIGHT in pixels, such as 32x32, each at most {}", text, kMostSide);
  }
  return {*width, *height};
}

ResizeMode parse_resize(const std::string& text) {
  if (text == "fit") return ResizeMode::fit;
  if (text == "crop") return ResizeMode::crop;
  if (text == "stretch") return ResizeMode::stretch;
  const std::string near = nearest(text, {"fit", "crop", "stretch"});
  fail(Exit::usage, "--resize {}: expected fit, crop or stretch{}", text,
       near.empty() ? "" : "; did you mean '" + near + "'?");
}

}  // namespace

PrepOptions prep_options(const PrepCommand& command) {
  PrepOptions options;
  if (!command.size.empty()) std::tie(options.width, options.height) = parse_size(command.size);
  if (!command.resize.empty()) options.resize = parse_resize(command.resize);
  options.gray = command.gray;
  if (command.max_pixels < 1) fail(Exit::usage, "--max-pixels {}: expected a number above 0", command.max_pixels);
  options.max_pixels = command.max_pixels;
  if (!command.split.empty()) options.shares = parse_shares(command.split);
  options.shares_given = !command.split.empty();
  options.split_key = command.split_key;
  options.labels = command.labels;
  options.label_regex = command.label_regex;
  options.type = command.type;
  options.audio = audio_options(command.audio);
  if (!command.class_names.empty()) options.class_names = split(command.class_names, ',');
  for (const std::string& name : options.class_names) {
    if (name.empty() || std::count(options.class_names.begin(), options.class_names.end(), name) > 1) {
      fail(Exit::usage, "--class-names {}: empty or repeated name '{}'", command.class_names, name);
    }
  }
  if (!command.max_errors.empty()) options.max_errors = ErrorLimit::parse(command.max_errors);
  return options;
}

std::string kind_of(const PrepCommand& command) {
  const bool listed = !command.files_from.empty() || !command.files0_from.empty();
  if (!command.type.empty()) return command.type;
  if (!command.text.column.empty() || !command.text.tokens.empty()) return "text";
  if (listed) return "image";
  const std::vector<InputSpec> inputs = prep_inputs(command);
  return look_like_texts(inputs) ? "text" : look_like_tables(inputs) ? "table" : "image";
}

void check_prep_command(const PrepCommand& command, const CommandLine& line) {
  constexpr std::array<std::string_view, 5> kKinds = {"", "image", "audio", "text", "table"};
  if (std::find(kKinds.begin(), kKinds.end(), command.type) == kKinds.end()) {
    fail(Exit::usage, "--type {}: expected image, audio, text or table", command.type);
  }
  const bool inputs = !command.inputs.empty() || !command.train.empty() || !command.val.empty() ||
                      !command.test.empty() || !command.files_from.empty() || !command.files0_from.empty();
  const int looks = !command.check.empty() + !command.list.empty() + !command.export_to.empty();
  if (looks > 1) fail(Exit::usage, "--check, --list and --export: one at a time");
  if (looks == 1 && !command.output.empty())
    fail(Exit::usage, "--check, --list and --export write no dataset: leave out -o");
  if (command.export_limit < 0) fail(Exit::usage, "--export-limit {}: expected 0 or more", command.export_limit);
  const bool of_dataset = !command.export_to.empty() || (command.stats && command.output.empty());
  if (of_dataset && command.inputs.size() != 1) {
    fail(Exit::usage, "{}: expected one dataset, FILE.h5", command.stats ? "--stats without -o" : "--export");
  }
  if ((!command.check.empty() || !command.list.empty()) && !command.inputs.empty())
    fail(Exit::usage, "{}: one dataset, and no INPUT beside it", command.check.empty() ? "--list" : "--check");
  if (command.export_limit > 0 && command.export_to.empty()) fail(Exit::usage, "--export-limit goes with --export");
  if (looks > 0 || of_dataset) {
    return check_looking(line, !command.check.empty()       ? "--check"
                               : !command.list.empty()      ? "--list"
                               : !command.export_to.empty() ? "--export"
                                                            : "--stats without -o");
  }
  if (!inputs) fail(Exit::usage, "nothing to read: expected INPUT (a folder, an archive, ...); see --help");
  if (command.output.empty()) fail(Exit::usage, "expected -o FILE.h5 (or -o - for a pipe)");
  if (command.stats && command.output == "-") {
    fail(Exit::usage, "--stats with -o -: standard output is taken by the dataset");
  }
}

std::vector<InputSpec> prep_inputs(const PrepCommand& command) {
  std::vector<InputSpec> inputs;
  inputs.reserve(command.inputs.size() + command.train.size() + command.val.size() + command.test.size());
  for (const std::string& path : command.inputs) inputs.push_back({path, std::nullopt});
  for (const std::string& path : command.train) inputs.push_back({path, Split::train});
  for (const std::string& path : command.val) inputs.push_back({path, Split::val});
  for (const std::string& path : command.test) inputs.push_back({path, Split::test});
  const auto stdins = std::count_if(inputs.begin(), inputs.end(), [](const InputSpec& i) { return i.path == "-"; }) +
                      (command.files_from == "-") + (command.files0_from == "-") + (command.labels == "-") +
                      (command.recipe == "-");
  if (stdins > 1) fail(Exit::usage, "standard input (-) can be read only once");
  return inputs;
}

}  // namespace lepton
