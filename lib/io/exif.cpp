#include <utility>

#include "io/image_codecs.h"

namespace lepton {
namespace {

constexpr uint32_t kOrientationTag = 0x0112, kShort = 3;

// Integers of a TIFF structure in its own byte order; what lies outside reads as 0.
class TiffReader {
 public:
  TiffReader(std::span<const uint8_t> bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}
  uint32_t u16(size_t at) const { return number(at, 2); }
  uint32_t u32(size_t at) const { return number(at, 4); }

 private:
  uint32_t number(size_t at, size_t length) const {
    if (at > bytes_.size() || bytes_.size() - at < length) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < length; ++i) value = value << 8 | bytes_[big_endian_ ? at + i : at + length - 1 - i];
    return value;
  }

  std::span<const uint8_t> bytes_;
  bool big_endian_;
};

}  // namespace

int exif_orientation(std::span<const uint8_t> tiff) {
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 1;
  const TiffReader reader(tiff, tiff[0] == 'M');
  if (reader.u16(2) != 42) return 1;
  const size_t directory = reader.u32(4);
  const uint32_t entries = reader.u16(directory);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + size_t{12} * i;
    if (reader.u16(entry) != kOrientationTag) continue;
    const uint32_t value = reader.u16(entry + 8);
    const bool usable = reader.u16(entry + 2) == kShort && reader.u32(entry + 4) == 1 && value >= 1 && value <= 8;
    return usable ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image apply_orientation(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const int64_t h = image.height, w = image.width, c = image.channels;
  const bool transposed = orientation >= 5;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  Image result{transposed ? w : h, transposed ? h : w, c, {}};
  if (image.pixels.empty()) return result;
  result.pixels.resize(image.pixels.size());
  const int64_t down = from_bottom ? -w * c : w * c, right = from_right ? -c : c;
  const int64_t next_row = transposed ? right : down, next_pixel = transposed ? down : right;
  const int64_t first = (from_bottom ? (h - 1) * w * c : 0) + (from_right ? (w - 1) * c : 0);
  uint8_t* out = result.pixels.data();
  for (int64_t y = 0; y < result.height; ++y) {
    int64_t in = first + y * next_row;
    for (int64_t x = 0; x < result.width; ++x, in += next_pixel) {
      for (int64_t k = 0; k < c; ++k) *out++ = image.pixels[static_cast<size_t>(in + k)];
    }
  }
  return result;
}

}  // namespace lepton
