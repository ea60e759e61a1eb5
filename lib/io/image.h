#pragma once
// Decoding of JPEG and PNG to 8-bit gray or RGB, and resizing.
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lepton {

// 8-bit samples, rows top to bottom, [height, width, channels]; channels 1 (gray) or 3 (RGB).
struct Image {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

struct DecodeLimits {
  int64_t max_pixels = 100'000'000;  // larger images are refused before anything is allocated
};

enum class ImageFormat { unknown, jpeg, png };
ImageFormat image_format(std::span<const uint8_t> bytes);  // by content

// Decodes a whole file: EXIF orientation applied, palette and low bit depths expanded, 16 bit reduced to 8 by rounding,
// alpha flattened on white (black where white would hide it is not guessed), CMYK and YCCK converted. Gray stays gray.
// Throws Error(bad_inputs) with what is wrong and at which byte where that is known ("truncated JPEG at byte 4,102").
Image decode_image(std::span<const uint8_t> bytes, const DecodeLimits& limits);

// Width and height after orientation, and channels, from the header alone; throws as decode_image.
Image decode_image_header(std::span<const uint8_t> bytes, const DecodeLimits& limits);

// 8-bit gray or RGB PNG.
std::vector<uint8_t> encode_png(const Image& image);

enum class ResizeMode {
  fit,
  crop,
  stretch
};  // fit: inside, padded with black; crop: covers, centre cut; stretch: both axes
// Separable triangle filter whose support grows with the reduction (antialiased bilinear, as Pillow's BILINEAR).
Image resize_image(const Image& image, int64_t width, int64_t height, ResizeMode mode);

Image to_gray(const Image& image);  // ITU-R 601: (19595 R + 38470 G + 7471 B + 32768) >> 16
Image to_rgb(const Image& image);   // gray repeated

}  // namespace lepton
