// large_data OUT.h5 GIB: a dataset of GIB gibibytes of 64x64 colour images in ten classes, sorted by class, which is
// the worst order to shuffle from; for scripts/soak and scripts/bench. An image is noise with a bar whose place is its
// class.
#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/text.h"
#include "data/dataset.h"

namespace {

using namespace lepton;

constexpr int64_t kSide = 64, kClasses = 10, kBytes = kSide * kSide * 3;

class Images {
 public:
  Images() : noise_(1 << 22) {
    for (size_t i = 0; i < noise_.size(); ++i) {
      noise_[i] = static_cast<uint8_t>(random4(1, Stream::sample, 0, i).v[0] >> 25);
    }
  }
  const std::vector<uint8_t>& image(int64_t index, int64_t label) {
    const uint32_t range = static_cast<uint32_t>(std::ssize(noise_) - kBytes);
    const auto at =
        static_cast<int64_t>(below(random4(2, Stream::sample, 0, static_cast<uint64_t>(index)).v[0], range));
    image_.assign(noise_.begin() + at, noise_.begin() + at + kBytes);
    constexpr int64_t kRow = kSide * 3, kBar = 5;
    for (int64_t y = label * kBar; y < (label + 1) * kBar; ++y) {
      for (int64_t i = y * kRow; i < (y + 1) * kRow; ++i) image_[static_cast<size_t>(i)] += 100;
    }
    return image_;
  }

 private:
  std::vector<uint8_t> noise_, image_;
};

void write_data(const std::string& path, double gibibytes) {
  DatasetWriter writer(path, {kSide, kSide, 3}, ElementType::u8);
  Images images;
  int64_t index = 0;
  const auto add = [&](Split split, int64_t count) {
    for (int64_t label = 0; label < kClasses; ++label) {
      for (int64_t i = 0; i < count / kClasses; ++i, ++index) {
        Digest digest{};  // distinct, which is all that matters here
        for (size_t byte = 0; byte < 8; ++byte) digest[byte] = static_cast<uint8_t>(index >> (8 * byte));
        writer.append(split, images.image(index, label), static_cast<int32_t>(label), std::to_string(index), digest);
      }
    }
  };
  add(Split::train, static_cast<int64_t>(gibibytes * static_cast<double>(int64_t{1} << 30)) / kBytes);
  add(Split::val, 1000);
  DatasetMeta meta;
  for (int64_t label = 0; label < kClasses; ++label) meta.classes.push_back(std::to_string(label));
  meta.mean = {70, 70, 70};
  meta.std = {45, 45, 45};
  meta.recipe = R"({"version":1})";
  meta.provenance = "{}";
  writer.finish(meta);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const auto size = count == 3 ? parse_double(arguments[2]) : std::nullopt;
    if (!size || !(*size > 0)) fail(Exit::usage, "usage: large_data OUT.h5 GIB");
    write_data(arguments[1], *size);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "large_data: {}\n", error.what());
    return static_cast<int>(error.status());
  }
}
