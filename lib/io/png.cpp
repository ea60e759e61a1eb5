#include <png.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <new>

#include "base/error.h"
#include "base/text.h"
#include "io/image_codecs.h"

namespace lepton {
namespace {

constexpr int64_t kDeflateRatio = 1032;  // no deflate stream grows by more

// libpng's structures for one file, read or written; an error of its jumps back into guarded().
struct Codec {
  png_structp png = nullptr;
  png_infop info = nullptr;
  bool writes = false;
  std::span<const uint8_t> input;
  size_t position = 0;
  std::vector<uint8_t> output;
  std::array<char, 200> message{};
  bool truncated = false;

  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  ~Codec() {
    if (writes) {
      png_destroy_write_struct(&png, &info);
    } else {
      png_destroy_read_struct(&png, &info, nullptr);
    }
  }
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  auto* codec = static_cast<Codec*>(png_get_error_ptr(png));
  std::snprintf(codec->message.data(), codec->message.size(), "%s", text);
  png_longjmp(png, 1);
}

// Warnings are about ancillary chunks, of which pixels depend on one alone: without its tRNS an image shows what it
// hides.
void on_warning(png_structp png, png_const_charp text) {
  if (std::strncmp(text, "tRNS", 4) == 0) on_error(png, text);
}

void read_bytes(png_structp png, png_bytep out, size_t count) {
  auto* codec = static_cast<Codec*>(png_get_io_ptr(png));
  if (count > codec->input.size() - codec->position) {
    codec->truncated = true;
    png_error(png, "truncated");
  }
  std::memcpy(out, codec->input.data() + codec->position, count);
  codec->position += count;
}

void write_bytes(png_structp png, png_bytep data, size_t count) {
  auto* codec = static_cast<Codec*>(png_get_io_ptr(png));
  bool stored = true;
  try {
    codec->output.insert(codec->output.end(), data, data + count);
  } catch (const std::bad_alloc&) {  // may not pass through C
    stored = false;
  }
  if (!stored) png_error(png, "out of memory");
}

void no_flush(png_structp) {}

// Runs a body of library calls; an error inside becomes an exception here, past no destructor: the body must not
// hold objects that need one.
template <class Body>
void guarded(Codec& codec, const Body& body) {
  if (setjmp(png_jmpbuf(codec.png)) == 0) {
    body(codec.png, codec.info);
    return;
  }
  if (codec.writes) fail(Exit::bad_inputs, "cannot encode PNG: {}", codec.message.data());
  if (codec.truncated) {
    fail(Exit::bad_inputs, "truncated PNG at byte {}", with_commas(static_cast<int64_t>(codec.input.size())));
  }
  fail(Exit::bad_inputs, "corrupt PNG at byte {}: {}", with_commas(static_cast<int64_t>(codec.position)),
       codec.message.data());
}

void open_reader(Codec& codec, std::span<const uint8_t> bytes) {
  codec.input = bytes;
  codec.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &codec, on_error, on_warning);
  codec.info = codec.png ? png_create_info_struct(codec.png) : nullptr;
  if (!codec.info) throw std::bad_alloc();
  guarded(codec, [&codec](png_structp png, png_infop info) {
    png_set_read_fn(png, &codec, read_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_pixels is the limit
    // Of the ancillary chunks only tRNS matters; skipping the others also skips what they could unpack to.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, reinterpret_cast<png_const_bytep>("tRNS"), 1);
    png_read_info(png, info);
  });
}

uint32_t big_endian(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint32_t>(bytes[at]) << 24 | static_cast<uint32_t>(bytes[at + 1]) << 16 |
         static_cast<uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}

// From the eXIf chunk, which may stand before or after the pixels.
int stored_orientation(std::span<const uint8_t> bytes) {
  size_t at = 8;
  while (bytes.size() - at >= 12) {
    const size_t length = big_endian(bytes, at);
    if (length > bytes.size() - at - 12) return 1;
    if (std::memcmp(bytes.data() + at + 4, "eXIf", 4) == 0) return exif_orientation(bytes.subspan(at + 8, length));
    at += length + 12;
  }
  return 1;
}

// [n, channels + 1] to [n, channels] in place: value * alpha + white * (1 - alpha).
void flatten_on_white(std::vector<uint8_t>& pixels, size_t channels) {
  const size_t n = pixels.size() / (channels + 1);
  const uint8_t* in = pixels.data();
  uint8_t* out = pixels.data();
  for (size_t i = 0; i < n; ++i) {
    const unsigned alpha = in[channels];
    for (size_t k = 0; k < channels; ++k) {
      *out++ = static_cast<uint8_t>((in[k] * alpha + 255U * (255U - alpha) + 127U) / 255U);
    }
    in += channels + 1;
  }
  pixels.resize(n * channels);
}

}  // namespace

StoredImage decode_png(std::span<const uint8_t> bytes, const DecodeLimits& limits, bool header_only) {
  Codec codec;
  open_reader(codec, bytes);
  StoredImage stored;
  Image& image = stored.image;
  image.height = png_get_image_height(codec.png, codec.info);
  image.width = png_get_image_width(codec.png, codec.info);
  check_pixels(image.width, image.height, limits, "PNG");
  const int color = png_get_color_type(codec.png, codec.info), depth = png_get_bit_depth(codec.png, codec.info);
  const int64_t bits = static_cast<int64_t>(depth) * png_get_channels(codec.png, codec.info);
  if (image.height * image.width / (8 * kDeflateRatio) * bits > static_cast<int64_t>(bytes.size())) {
    fail(Exit::bad_inputs, "truncated PNG at byte {}: {}x{} pixels cannot be held in so few bytes",
         with_commas(static_cast<int64_t>(bytes.size())), image.width, image.height);
  }
  image.channels = (color & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1;
  stored.orientation = stored_orientation(bytes);
  if (header_only) return stored;

  const bool alpha = (color & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(codec.png, codec.info, PNG_INFO_tRNS) != 0;
  const int64_t stored_channels = image.channels + (alpha ? 1 : 0);
  image.pixels.resize(static_cast<size_t>(image.height * image.width * stored_channels));
  guarded(codec, [&](png_structp png, png_infop info) {
    png_set_expand(png);  // palette to RGB, 1, 2 and 4 bits to 8, tRNS to alpha
    png_set_scale_16(png);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    const int64_t stride = image.width * stored_channels;
    if (static_cast<int64_t>(png_get_rowbytes(png, info)) != stride) png_error(png, "row of unexpected length");
    for (int pass = 0; pass < passes; ++pass) {
      for (int64_t y = 0; y < image.height; ++y) png_read_row(png, image.pixels.data() + y * stride, nullptr);
    }
    png_read_end(png, nullptr);
  });
  if (alpha) flatten_on_white(image.pixels, static_cast<size_t>(image.channels));
  return stored;
}

std::vector<uint8_t> encode_png(const Image& image) {
  Codec codec;
  codec.writes = true;
  codec.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &codec, on_error, on_warning);
  codec.info = codec.png ? png_create_info_struct(codec.png) : nullptr;
  if (!codec.info) throw std::bad_alloc();
  guarded(codec, [&](png_structp png, png_infop info) {
    png_set_write_fn(png, &codec, write_bytes, no_flush);
    png_set_IHDR(png, info, static_cast<uint32_t>(image.width), static_cast<uint32_t>(image.height), 8,
                 image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    const int64_t stride = image.width * image.channels;
    for (int64_t y = 0; y < image.height; ++y) png_write_row(png, image.pixels.data() + y * stride);
    png_write_end(png, nullptr);
  });
  return std::move(codec.output);
}

}  // namespace lepton
