#include "io/audio_container.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace lepton {
namespace {

constexpr uint64_t kStreamed = 0x7FFFF000;  // sizes from here on mean that whoever wrote a pipe did not know them

struct Bytes {
  std::span<const uint8_t> all;
  bool big = false;  // endian

  bool holds(uint64_t at, uint64_t count) const { return at <= all.size() && count <= all.size() - at; }
  uint64_t number(uint64_t at, int count) const {
    uint64_t value = 0;
    for (int i = 0; i < count && holds(at, static_cast<uint64_t>(count)); ++i) {
      value |= uint64_t{all[at + static_cast<uint64_t>(i)]} << 8 * (big ? count - 1 - i : i);
    }
    return value;
  }
  std::string_view text(uint64_t at, uint64_t count) const {
    return holds(at, count) ? std::string_view(reinterpret_cast<const char*>(all.data()) + at, count) : "";
  }
};

std::string cut(uint64_t present, uint64_t declared, uint64_t frame) {
  frame = std::max<uint64_t>(frame, 1);
  return fmt::format("is truncated: ends after {} of {} frames", with_commas(static_cast<int64_t>(present / frame)),
                     with_commas(static_cast<int64_t>(declared / frame)));
}

// Of a "fmt " chunk that is there as a whole.
std::string format_problem(const Bytes& bytes, uint64_t at, uint64_t size) {
  constexpr uint64_t kPcm = 1, kFloat = 3, kExtensible = 0xFFFE;
  uint64_t tag = bytes.number(at, 2);
  const uint64_t channels = bytes.number(at + 2, 2), rate = bytes.number(at + 4, 4), bits = bytes.number(at + 14, 2);
  if (tag == kExtensible && size >= 26) tag = bytes.number(at + 24, 2);
  if (channels == 0) return "has no channels";
  if (rate == 0) return "its rate is 0";
  if (tag == kPcm && (bits == 0 || bits > 32)) {
    return fmt::format("is {}-bit PCM: 8 to 32 bits can be read, and floats of 32 and 64", bits);
  }
  if (tag == kFloat && bits != 32 && bits != 64) {
    return fmt::format("is {}-bit floating point: 32 and 64 bits can be read", bits);
  }
  return "";
}

std::string wav_problem(Bytes bytes) {
  bytes.big = bytes.text(0, 4) == "RIFX";
  uint64_t frame = 1, large = 0;  // bytes a frame; size of the data of an RF64 file
  bool compressed = false;
  for (uint64_t at = 12; bytes.holds(at, 8);) {
    const std::string_view name = bytes.text(at, 4);
    uint64_t size = bytes.number(at + 4, 4);
    at += 8;
    if (name == "ds64" && bytes.holds(at, 24)) large = bytes.number(at + 8, 8);
    if (name == "fmt " && size >= 16 && bytes.holds(at, size)) {
      frame = bytes.number(at + 12, 2);
      const uint64_t tag = bytes.number(at, 2);
      compressed = tag != 1 && tag != 3 && tag != 6 && tag != 7 && tag != 0xFFFE;
      if (std::string problem = format_problem(bytes, at, size); !problem.empty()) return problem;
    }
    if (name == "data") {
      if (large > 0 && size == 0xFFFFFFFF) size = large;
      const bool unknown = size >= kStreamed && large == 0;
      if (unknown || bytes.holds(at, size)) return "";
      return cut(bytes.all.size() - at, size, compressed ? 1 : frame);
    }
    if (!bytes.holds(at, size)) return "";  // libsndfile says what it makes of that
    at += size + size % 2;
  }
  return "";
}

std::string aiff_problem(Bytes bytes) {
  bytes.big = true;
  const uint64_t declared = bytes.number(4, 4) + 8;
  if (declared <= bytes.all.size() || declared >= kStreamed) return "";
  return fmt::format("is truncated: ends after {} of {} bytes", with_commas(std::ssize(bytes.all)),
                     with_commas(static_cast<int64_t>(declared)));
}

std::string au_problem(Bytes bytes) {
  bytes.big = true;
  const uint64_t at = bytes.number(4, 4), size = bytes.number(8, 4);
  if (size >= kStreamed || bytes.holds(at, size)) return "";
  return fmt::format("is truncated: ends after {} of {} bytes", with_commas(std::ssize(bytes.all)),
                     with_commas(static_cast<int64_t>(at + size)));
}

}  // namespace

std::string container_problem(std::span<const uint8_t> all) {
  const Bytes bytes{all};
  const std::string_view name = bytes.text(0, 4);
  if (name == "RIFF" || name == "RIFX" || name == "RF64") return wav_problem(bytes);
  if (name == "FORM") return aiff_problem(bytes);
  if (name == ".snd") return au_problem(bytes);
  return "";
}

}  // namespace lepton
