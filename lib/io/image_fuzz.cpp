// Image decoding and the EXIF reader: any bytes decode to an image as large as it says, or to Error(bad_inputs).
#include <zlib.h>

#include <cstdlib>

#include "base/error.h"
#include "io/image.h"
#include "io/image_codecs.h"

namespace {

// Makes the checksums of a mutated PNG right, or nothing behind them would ever be tried.
void mend_checksums(std::vector<uint8_t>& png) {
  size_t at = 8;
  while (png.size() > at && png.size() - at >= 12) {
    size_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length << 8 | png[at + i];
    if (length > png.size() - at - 12) return;
    const uLong sum = crc32(0, png.data() + at + 4, static_cast<uInt>(length + 4));
    at += length + 12;
    for (size_t i = 0; i < 4; ++i) png[at - 4 + i] = static_cast<uint8_t>(sum >> (24 - 8 * i));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  if (lepton::image_format(bytes) == lepton::ImageFormat::png) mend_checksums(bytes);
  const lepton::DecodeLimits limits{1'000'000};
  const int orientation = lepton::exif_orientation(bytes);
  if (orientation < 1 || orientation > 8) std::abort();
  try {
    const lepton::Image image = lepton::decode_image(bytes, limits);
    if (image.pixels.size() != static_cast<size_t>(image.height * image.width * image.channels)) std::abort();
    const lepton::Image header = lepton::decode_image_header(bytes, limits);
    if (header.height != image.height || header.width != image.width || header.channels != image.channels) std::abort();
  } catch (const lepton::Error& error) {
    if (error.status() != lepton::Exit::bad_inputs) std::abort();
  }
  return 0;
}
