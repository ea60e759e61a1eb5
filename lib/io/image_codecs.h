#pragma once
// What image.cpp joins: one decoder a format, EXIF orientation, and the checks both decoders share.
#include <cstdint>
#include <span>
#include <string_view>

#include "io/image.h"

namespace lepton {

// Pixels as stored, before orientation, and the orientation (1 to 8) the file asks for.
struct StoredImage {
  Image image;
  int orientation = 1;
};

// With header_only, image.pixels stays empty. Errors as decode_image's.
StoredImage decode_jpeg(std::span<const uint8_t> bytes, const DecodeLimits& limits, bool header_only);
StoredImage decode_png(std::span<const uint8_t> bytes, const DecodeLimits& limits, bool header_only);

// Orientation, 1 to 8, from a TIFF structure (EXIF 2.3, tag 0x0112 of IFD 0); 1 where it is absent or damaged.
int exif_orientation(std::span<const uint8_t> tiff);

// The image turned and mirrored so that an EXIF orientation of 1 to 8 becomes 1.
Image apply_orientation(Image image, int orientation);

// Throws Error(bad_inputs) where width * height is above the limit or not positive.
void check_pixels(int64_t width, int64_t height, const DecodeLimits& limits, std::string_view format);

}  // namespace lepton
