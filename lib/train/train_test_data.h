#pragma once
// A small learnable dataset for the tests of this folder.
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "data/dataset.h"

namespace lepton {

// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lepton-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Gray 8x8 images of 4 classes: noise with one quarter of the image bright.
inline std::vector<uint8_t> quarter_image(uint64_t index, int label) {
  std::vector<uint8_t> x(64);
  for (size_t i = 0; i < x.size(); ++i) {
    const bool bright = (i / 8 >= 4) == (label >= 2) && (i % 8 >= 4) == (label % 2 == 1);
    x[i] = static_cast<uint8_t>((random4(1, Stream::sample, index, i).v[0] >> 26) + (bright ? 120 : 0));
  }
  return x;
}

// n training samples, and a fifth of that for validation if asked.
inline Dataset quarters(const std::string& path, int64_t n, bool with_val = false, int classes = 4) {
  DatasetWriter writer(path, {8, 8, 1}, ElementType::u8);
  const auto add = [&](Split split, int64_t from, int64_t count) {
    for (int64_t i = from; i < from + count; ++i) {
      const int label = static_cast<int>(i) % classes;
      const std::vector<uint8_t> x = quarter_image(static_cast<uint64_t>(i), label);
      writer.append(split, x, label, std::to_string(i), sha256(x));
    }
  };
  add(Split::train, 0, n);
  if (with_val) add(Split::val, n, n / 5);
  DatasetMeta meta;
  for (int c = 0; c < classes; ++c) meta.classes.push_back(std::string("class ") + static_cast<char>('a' + c));
  meta.mean = {60};
  meta.std = {55};
  meta.recipe = R"({"version":1})";
  meta.provenance = "{}";
  writer.finish(meta);
  return Dataset::open(path);
}

}  // namespace lepton
