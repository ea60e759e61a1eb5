// Image decoding and the EXIF reader: any bytes decode to an image as large as it says, or to Error(bad_inputs).
#include <cstdlib>

#include "base/error.h"
#include "io/image.h"
#include "io/image_codecs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
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
