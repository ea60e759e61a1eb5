#include <csetjmp>
#include <cstdio>
#include <cstring>
// jpeglib.h wants stdio first.
#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "io/image_codecs.h"

namespace lepton {
namespace {

constexpr int kMaxScans = 100;     // files in use have about ten; each costs a pass over all coefficients
constexpr int kNotOfLibrary = -1;  // codes of ours beside libjpeg's J_MESSAGE_CODE
constexpr int kTruncated = -2;

// libjpeg reports through callbacks and expects error_exit never to return: it jumps back into guarded().
struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump{};
  int64_t size = 0;
  int code = kNotOfLibrary;
  std::array<char, JMSG_LENGTH_MAX> message{};

  explicit Decoder(std::span<const uint8_t> bytes);
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { jpeg_destroy_decompress(&info); }
};

[[noreturn]] void stop(jpeg_decompress_struct* info, int code, const char* message) {
  auto* decoder = static_cast<Decoder*>(info->client_data);
  decoder->code = code;
  std::snprintf(decoder->message.data(), decoder->message.size(), "%s", message);
  std::longjmp(decoder->jump, 1);
}

void on_error(j_common_ptr common) {
  std::array<char, JMSG_LENGTH_MAX> text{};
  common->err->format_message(common, text.data());
  stop(reinterpret_cast<jpeg_decompress_struct*>(common), common->err->msg_code, text.data());
}

// Level -1 is a warning: libjpeg would go on with made-up pixels. Those that leave the pixels right pass.
void on_message(j_common_ptr common, int level) {
  if (level >= 0) return;
  switch (common->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:  // spectral settings that a sequential scan ignores
    case JWRN_TOO_MUCH_DATA:
      return;
    default:
      on_error(common);
  }
}

void no_output(j_common_ptr) {}
void no_source_work(j_decompress_ptr) {}

boolean on_end_of_data(j_decompress_ptr info) { stop(info, kTruncated, "truncated"); }

void skip_bytes(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<size_t>(count) > info->src->bytes_in_buffer) stop(info, kTruncated, "truncated");
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= static_cast<size_t>(count);
}

void on_progress(j_common_ptr common) {
  auto* info = reinterpret_cast<jpeg_decompress_struct*>(common);
  if (info->input_scan_number > kMaxScans) stop(info, kNotOfLibrary, "more than 100 scans");
}

Decoder::Decoder(std::span<const uint8_t> bytes) : size(static_cast<int64_t>(bytes.size())) {
  info.err = jpeg_std_error(&errors);
  errors.error_exit = on_error;
  errors.emit_message = on_message;
  errors.output_message = no_output;
  info.client_data = this;  // kept by jpeg_create_decompress
  source.next_input_byte = bytes.data();
  source.bytes_in_buffer = bytes.size();
  source.init_source = no_source_work;
  source.fill_input_buffer = on_end_of_data;
  source.skip_input_data = skip_bytes;
  source.resync_to_restart = jpeg_resync_to_restart;
  source.term_source = no_source_work;
  progress.progress_monitor = on_progress;
}

std::string unsupported_process(int marker) {
  switch (marker) {
    case 0xC3:
      return "lossless JPEG (SOF3)";
    case 0xC5:
      return "hierarchical JPEG (SOF5)";
    case 0xC6:
      return "hierarchical progressive JPEG (SOF6)";
    case 0xC7:
      return "hierarchical lossless JPEG (SOF7)";
    case 0xCB:
      return "lossless arithmetic-coded JPEG (SOF11)";
    default:
      return fmt::format("JPEG of process 0x{:02x}", marker);
  }
}

[[noreturn]] void report(const Decoder& decoder) {
  constexpr const char* kMend = "save it as an 8-bit baseline or progressive JPEG, or as PNG";
  const std::string at = with_commas(decoder.size - static_cast<int64_t>(decoder.source.bytes_in_buffer));
  std::string_view message = decoder.message.data();
  if (constexpr std::string_view kSaid = "Corrupt JPEG data: "; message.starts_with(kSaid)) {
    message.remove_prefix(kSaid.size());
  }
  switch (decoder.code) {
    case kTruncated:
      fail(Exit::bad_inputs, "truncated JPEG at byte {}", with_commas(decoder.size));
    case JERR_BAD_PRECISION:
      fail(Exit::bad_inputs, "{}-bit JPEG is not supported; {}", decoder.errors.msg_parm.i[0], kMend);
    case JERR_SOF_UNSUPPORTED:
      fail(Exit::bad_inputs, "{} is not supported; {}", unsupported_process(decoder.errors.msg_parm.i[0]), kMend);
    case JERR_ARITH_NOTIMPL:
      fail(Exit::bad_inputs, "arithmetic-coded JPEG is not supported by this libjpeg; {}", kMend);
    case JERR_CCIR601_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
      fail(Exit::bad_inputs, "JPEG is not supported ({}); {}", message, kMend);
    case JERR_OUT_OF_MEMORY:
      fail(Exit::bad_inputs, "JPEG needs more memory than there is");
    default:
      fail(Exit::bad_inputs, "corrupt JPEG at byte {}: {}", at, message);
  }
}

// Runs a body of library calls; an error inside becomes an exception here, past no destructor: the body must not
// hold objects that need one.
template <class Body>
void guarded(Decoder& decoder, const Body& body) {
  if (setjmp(decoder.jump) == 0) {
    body(&decoder.info);
  } else {
    report(decoder);
  }
}

int stored_orientation(const jpeg_decompress_struct& info) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  for (auto* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::span<const uint8_t> data(marker->data, marker->data_length);
    if (marker->marker != JPEG_APP0 + 1 || data.size() < kPrefix.size()) continue;
    if (std::memcmp(data.data(), kPrefix.data(), kPrefix.size()) == 0) {
      return exif_orientation(data.subspan(kPrefix.size()));
    }
  }
  return 1;
}

// A Huffman code has at least one bit and every minimum coded unit at least one code, so a file of n bytes holds at
// most 8 n of them: what declares more is refused before its memory is asked for.
void check_plausible(const jpeg_decompress_struct& info, int64_t size) {
  if (info.arith_code) return;
  const int64_t mcu_width = DCTSIZE * info.max_h_samp_factor, mcu_height = DCTSIZE * info.max_v_samp_factor;
  const int64_t columns = (info.image_width + mcu_width - 1) / mcu_width;
  const int64_t rows = (info.image_height + mcu_height - 1) / mcu_height;
  if (columns * rows > 8 * size) {
    fail(Exit::bad_inputs, "truncated JPEG at byte {}: {}x{} pixels cannot be held in so few bytes", with_commas(size),
         info.image_width, info.image_height);
  }
}

void read_rows(Decoder& decoder, Image& image) {
  guarded(decoder, [&image](jpeg_decompress_struct* info) {
    const int64_t stride = image.width * image.channels;
    std::array<JSAMPROW, 8> rows;
    while (info->output_scanline < info->output_height) {
      const int64_t first = info->output_scanline;
      const int64_t count = std::min<int64_t>(rows.size(), image.height - first);
      for (int64_t i = 0; i < count; ++i) rows[static_cast<size_t>(i)] = image.pixels.data() + (first + i) * stride;
      jpeg_read_scanlines(info, rows.data(), static_cast<JDIMENSION>(count));
    }
    jpeg_finish_decompress(info);
  });
}

// CMYK as Adobe's programs write it, and so as all readers take it: 255 is no ink. Each channel is ink * black / 255.
void read_cmyk_rows(Decoder& decoder, Image& image) {
  std::vector<uint8_t> cmyk(static_cast<size_t>(image.width) * 4);
  guarded(decoder, [&image, &cmyk](jpeg_decompress_struct* info) {
    uint8_t* out = image.pixels.data();
    while (info->output_scanline < info->output_height) {
      JSAMPROW row = cmyk.data();
      jpeg_read_scanlines(info, &row, 1);
      for (int64_t x = 0; x < image.width; ++x) {
        for (int k = 0; k < 3; ++k) *out++ = static_cast<uint8_t>((row[4 * x + k] * row[4 * x + 3] + 127) / 255);
      }
    }
    jpeg_finish_decompress(info);
  });
}

}  // namespace

StoredImage decode_jpeg(std::span<const uint8_t> bytes, const DecodeLimits& limits, bool header_only) {
  // One decompressor a file: a kept one would lend an image without tables those of the image before it.
  Decoder decoder(bytes);
  guarded(decoder, [&decoder](jpeg_decompress_struct* info) {
    jpeg_create_decompress(info);
    info->src = &decoder.source;
    info->progress = &decoder.progress;
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(info, TRUE);
  });
  jpeg_decompress_struct& info = decoder.info;
  StoredImage stored;
  Image& image = stored.image;
  image.height = info.image_height;
  image.width = info.image_width;
  check_pixels(image.width, image.height, limits, "JPEG");
  check_plausible(info, decoder.size);
  switch (info.num_components) {
    case 1:
      info.out_color_space = JCS_GRAYSCALE;
      break;
    case 3:
      info.out_color_space = JCS_RGB;
      break;
    case 4:
      info.out_color_space = JCS_CMYK;
      break;
    default:
      fail(Exit::bad_inputs, "JPEG of {} components is not supported; save it as RGB", info.num_components);
  }
  image.channels = info.num_components == 1 ? 1 : 3;
  stored.orientation = stored_orientation(info);
  if (header_only) return stored;

  guarded(decoder, [](jpeg_decompress_struct* started) { jpeg_start_decompress(started); });
  image.pixels.resize(static_cast<size_t>(image.height * image.width * image.channels));
  if (info.out_color_space == JCS_CMYK) {
    read_cmyk_rows(decoder, image);
  } else {
    read_rows(decoder, image);
  }
  return stored;
}

}  // namespace lepton
