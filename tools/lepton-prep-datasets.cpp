#include "lepton-prep-datasets.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "data/dataset.h"
#include "io/image.h"
#include "push/reference.h"

namespace lepton {
namespace {

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

}  // namespace

void write_whole(AtomicFile& file, std::span<const uint8_t> bytes) {
  const FileDescriptor out(::open(file.path().c_str(), O_WRONLY | O_CLOEXEC));
  if (!out) fail(Exit::output, "{}: {}", file.target(), std::strerror(errno));
  write_all(out.get(), bytes, file.target());
  file.commit();
}

void print_stats(const std::string& path) {
  const Dataset dataset = Dataset::open(local_copy(path, stop_requested));
  const std::vector<std::string>& classes = dataset.meta().classes;
  std::array<std::vector<int64_t>, 3> counts;
  for (size_t s = 0; s < counts.size(); ++s) {
    counts[s].resize(classes.size() + 1);
    const SplitData* data = dataset.split(static_cast<Split>(s));
    if (data == nullptr) continue;
    for (const int32_t label : data->labels()) ++counts[s][label < 0 ? classes.size() : static_cast<size_t>(label)];
  }
  const bool table = stdout_is_terminal();
  size_t width = 5;
  for (const std::string& name : classes) width = std::max(width, escape_tsv(name).size());
  const auto row = [&](const std::string& name, const auto& train, const auto& val, const auto& test) {
    print(table ? fmt::format("{:<{}} {:>9} {:>9} {:>9}\n", name, width, train, val, test)
                : fmt::format("{}\t{}\t{}\t{}\n", name, train, val, test));
  };
  row("class", "train", "val", "test");
  for (size_t c = 0; c < classes.size(); ++c) row(escape_tsv(classes[c]), counts[0][c], counts[1][c], counts[2][c]);
  const size_t none = classes.size();
  if (counts[0][none] + counts[1][none] + counts[2][none] > 0) {
    row("(unlabelled)", counts[0][none], counts[1][none], counts[2][none]);
  }
}

void list_samples(const std::string& text) {
  const DatasetName name(local_copy(text, stop_requested));
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

void export_images(const std::string& text, const std::string& folder, int64_t limit) {
  const DatasetName name(local_copy(text, stop_requested));
  const Dataset dataset = Dataset::open(name.path);
  const Shape shape = dataset.sample_shape();
  if (shape.rank() != 3) {
    fail(Exit::mismatch, "{}: holds no images but data for {}: nothing to export", name.path, dataset.meta().task);
  }
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

}  // namespace lepton
