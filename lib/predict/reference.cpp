#include "predict/reference.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "io/files.h"

namespace lepton {
namespace {

constexpr size_t kNamesShown = 5;  // of classes, in a message

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool is_hdf5(int fd) {
  static constexpr std::array<uint8_t, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  std::array<uint8_t, 8> start{};
  return ::pread(fd, start.data(), start.size(), 0) == std::ssize(start) && start == kSignature;
}

std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamesShown); ++i) text += (i > 0 ? ", '" : "'") + names[i] + "'";
  if (names.size() > kNamesShown) text += " and " + std::to_string(names.size() - kNamesShown) + " more";
  return text;
}

}  // namespace

bool names_stdin(const std::string& operand) {
  return operand == "-" || (operand.starts_with("-:") && !exists(operand));
}

DatasetReference parse_dataset_reference(const std::string& operand) {
  const size_t colon = operand.rfind(':');
  if (operand == "-" || colon == std::string::npos || exists(operand)) return {operand, {Split::test}};
  DatasetReference reference{operand.substr(0, colon), {}};
  if (reference.path != "-" && !exists(reference.path)) fail(Exit::no_input, "{}: no such file", reference.path);
  for (const std::string& name : split(operand.substr(colon + 1), ',')) {
    const auto which = parse_split(name);
    if (!which) fail(Exit::usage, "{}: no split '{}'; expected train, val or test", operand, name);
    reference.splits.push_back(*which);
  }
  return reference;
}

bool names_dataset(const std::string& operand) {
  if (operand == "-") {
    const FileDescriptor spool = open_spooled(STDIN_FILENO);
    if (::dup2(spool.get(), STDIN_FILENO) < 0) fail(Exit::failed, "standard input: cannot be duplicated");
    return is_hdf5(spool.get());
  }
  std::error_code ignored;
  if (exists(operand)) {
    if (!std::filesystem::is_regular_file(operand, ignored)) return false;
    const FileDescriptor file(::open(operand.c_str(), O_RDONLY | O_CLOEXEC));
    return file && is_hdf5(file.get());
  }
  const size_t colon = operand.rfind(':');
  if (colon == std::string::npos) return false;
  return names_stdin(operand) || std::filesystem::is_regular_file(operand.substr(0, colon), ignored);
}

const SplitData& require_split(const Dataset& dataset, Split which) {
  if (const SplitData* data = dataset.split(which)) return *data;
  std::string there;
  for (size_t i = 0; i < kSplitNames.size(); ++i) {
    if (dataset.split(static_cast<Split>(i))) there += (there.empty() ? "" : ", ") + std::string(kSplitNames[i]);
  }
  fail(Exit::no_input, "{}: no {} samples; it has {}: name one as {}:SPLIT", dataset.path(),
       kSplitNames[static_cast<size_t>(which)], there, dataset.path());
}

void check_samples(const Predictor& predictor, const Dataset& dataset) {
  if (!(dataset.sample_shape() == predictor.graph.input)) {
    fail(Exit::mismatch, "{}: its samples are {}, the model takes {}: prepare it with lepton-prep --recipe",
         dataset.path(), dataset.sample_shape().to_string(), predictor.graph.input.to_string());
  }
  const std::unique_ptr<const Recipe> recipe = read_recipe(dataset.meta().recipe, dataset.meta().parts);
  if (recipe->type() != predictor.recipe->type()) {
    fail(Exit::mismatch, "{}: holds data for {}, the model is for {}", dataset.path(), dataset.meta().task,
         predictor.model.task);
  }
  if (predictor.regression() == dataset.meta().target_mean.empty()) {
    fail(Exit::mismatch, "{}: holds {}, the model predicts {}", dataset.path(),
         predictor.regression() ? "classes" : "numbers", predictor.regression() ? "numbers" : "classes");
  }
  if (const std::string why = predictor.recipe->differs(*recipe); !why.empty()) {
    fail(Exit::mismatch, "{}: {}", dataset.path(), why);
  }
}

std::vector<int32_t> map_classes(const Predictor& predictor, const Dataset& dataset) {
  const std::vector<std::string>& known = predictor.model.classes;
  std::vector<int32_t> map;
  std::vector<std::string> unknown;
  for (const std::string& name : dataset.meta().classes) {
    const auto it = std::find(known.begin(), known.end(), name);
    if (it == known.end()) unknown.push_back(name);
    map.push_back(static_cast<int32_t>(it - known.begin()));
  }
  if (!unknown.empty()) {
    fail(Exit::mismatch, "{}: the model does not know the {}{} {}; it knows {}", dataset.path(),
         predictor.regression() ? "target" : "class",
         unknown.size() == 1      ? ""
         : predictor.regression() ? "s"
                                  : "es",
         some_of(unknown), some_of(known));
  }
  return map;
}

}  // namespace lepton
