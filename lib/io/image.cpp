#include "io/image.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "io/image_codecs.h"

namespace lepton {
namespace {

constexpr std::array<uint8_t, 8> kPngSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

StoredImage decode(std::span<const uint8_t> bytes, const DecodeLimits& limits, bool header_only) {
  switch (image_format(bytes)) {
    case ImageFormat::jpeg:
      return decode_jpeg(bytes, limits, header_only);
    case ImageFormat::png:
      return decode_png(bytes, limits, header_only);
    case ImageFormat::unknown:
      break;
  }
  if (bytes.empty()) fail(Exit::bad_inputs, "empty file; expected a JPEG or PNG image");
  if (bytes.size() > 3 && std::equal(kPngSignature.begin() + 1, kPngSignature.begin() + 4, bytes.begin() + 1)) {
    fail(Exit::bad_inputs, "corrupt PNG at byte 0: damaged signature, as after a transfer in text mode");
  }
  fail(Exit::bad_inputs, "neither JPEG nor PNG by its first bytes; convert it to one of them");
}

}  // namespace

ImageFormat image_format(std::span<const uint8_t> bytes) {
  if (bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF) return ImageFormat::jpeg;
  if (bytes.size() >= kPngSignature.size() && std::equal(kPngSignature.begin(), kPngSignature.end(), bytes.begin())) {
    return ImageFormat::png;
  }
  return ImageFormat::unknown;
}

void check_pixels(int64_t width, int64_t height, const DecodeLimits& limits, std::string_view format) {
  if (width <= 0 || height <= 0) fail(Exit::bad_inputs, "corrupt {}: its size is {}x{}", format, width, height);
  if (width > limits.max_pixels / height) {
    fail(Exit::bad_inputs, "{} of {}x{} pixels, more than the limit of {} pixels (--max-pixels)", format, width, height,
         with_commas(limits.max_pixels));
  }
}

Image decode_image(std::span<const uint8_t> bytes, const DecodeLimits& limits) {
  StoredImage stored = decode(bytes, limits, false);
  return apply_orientation(std::move(stored.image), stored.orientation);
}

Image decode_image_header(std::span<const uint8_t> bytes, const DecodeLimits& limits) {
  StoredImage stored = decode(bytes, limits, true);
  return apply_orientation(std::move(stored.image), stored.orientation);
}

Image to_gray(const Image& image) {
  if (image.channels == 1) return image;
  Image gray{image.height, image.width, 1, std::vector<uint8_t>(image.pixels.size() / 3)};
  const uint8_t* rgb = image.pixels.data();
  for (uint8_t& value : gray.pixels) {
    value = static_cast<uint8_t>((19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2] + 32768U) >> 16);
    rgb += 3;
  }
  return gray;
}

Image to_rgb(const Image& image) {
  if (image.channels == 3) return image;
  Image rgb{image.height, image.width, 3, std::vector<uint8_t>(image.pixels.size() * 3)};
  uint8_t* out = rgb.pixels.data();
  for (const uint8_t value : image.pixels) {
    out = std::fill_n(out, 3, value);
  }
  return rgb;
}

}  // namespace lepton
