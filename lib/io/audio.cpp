#include "io/audio.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <samplerate.h>
#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "io/audio_container.h"

namespace lepton {
namespace {

constexpr int64_t kMostChannels = 256;
constexpr int64_t kBlockSamples = 16384;
constexpr float kMostAmplitude = 1e6F;  // beyond, powers would leave the range of a float

struct Memory {
  std::span<const uint8_t> bytes;
  sf_count_t at = 0;

  static Memory& of(void* user) { return *static_cast<Memory*>(user); }
  static sf_count_t length(void* user) { return std::ssize(of(user).bytes); }
  static sf_count_t tell(void* user) { return of(user).at; }
  static sf_count_t seek(sf_count_t offset, int whence, void* user) {
    const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? tell(user) : length(user);
    of(user).at = std::clamp<sf_count_t>(base + offset, 0, length(user));
    return of(user).at;
  }
  static sf_count_t read(void* to, sf_count_t count, void* user) {
    Memory& m = of(user);
    const sf_count_t n = std::clamp<sf_count_t>(count, 0, length(user) - m.at);
    if (n > 0) std::memcpy(to, m.bytes.data() + m.at, static_cast<size_t>(n));
    m.at += n;
    return n;
  }
  static sf_count_t write(const void* /*from*/, sf_count_t /*count*/, void* /*user*/) { return 0; }
};

// libsndfile, opened when the first recording is met: with the codecs behind it, it would double the time in which a
// program starts.
struct Library {
  decltype(&sf_open_virtual) open = nullptr;
  decltype(&sf_close) close = nullptr;
  decltype(&sf_readf_float) read = nullptr;
  decltype(&sf_error) error = nullptr;
  decltype(&sf_strerror) text = nullptr;

  Library() {
    void* const handle = ::dlopen("libsndfile.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) fail(Exit::failed, "recordings need libsndfile, which is not here: {}", ::dlerror());
    find(handle, "sf_open_virtual", open);
    find(handle, "sf_close", close);
    find(handle, "sf_readf_float", read);
    find(handle, "sf_error", error);
    find(handle, "sf_strerror", text);
  }
  static const Library& get() {
    static const Library library;
    return library;
  }

 private:
  template <class Function>
  static void find(void* handle, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(handle, name));
    if (function == nullptr) fail(Exit::failed, "libsndfile lacks {}", name);
  }
};

struct Closer {
  void operator()(SNDFILE* file) const { Library::get().close(file); }
};

// The header of an MPEG layer III frame.
bool is_mp3_frame(std::span<const uint8_t> b) {
  return b.size() >= 4 && b[0] == 0xFF && (b[1] & 0xE6) == 0xE2 && (b[1] & 0x18) != 0x08 && (b[2] & 0xF0) != 0xF0 &&
         (b[2] & 0xF0) != 0 && (b[2] & 0x0C) != 0x0C;
}

// libmpg123 writes notes about damaged files to the C library's `stderr`, which glibc lets a program set; what is wrong
// with a file is said by Reader. Our own messages keep the stream they began with.
void mute_decoder() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::FILE* nowhere = std::fopen("/dev/null", "we")) stderr = nowhere;
  });
}

// An open recording whose header has been judged.
class Reader {
 public:
  Reader(std::span<const uint8_t> bytes, const AudioLimits& limits) : memory_{bytes} {
    if (bytes.empty()) fail(Exit::bad_inputs, "is empty");
    if (!looks_like_audio(bytes)) fail(Exit::bad_inputs, "is not a recording of a known kind");
    if (const std::string problem = container_problem(bytes); !problem.empty()) fail(Exit::bad_inputs, "{}", problem);
    open();
    if (format_.samplerate < kLeastRate || format_.samplerate > kMostRate) {
      fail(Exit::bad_inputs, "its rate is {} Hz: expected {} to {}", format_.samplerate, kLeastRate,
           with_commas(kMostRate));
    }
    if (format_.channels < 1 || format_.channels > kMostChannels) {
      fail(Exit::bad_inputs, "has {} channels: expected 1 to {}", format_.channels, kMostChannels);
    }
    if (format_.frames < 1) fail(Exit::bad_inputs, "holds no samples");
    most_ = std::min<int64_t>(kMostSamples, std::llround(std::min(limits.max_seconds, 1e9) * format_.samplerate));
    if (format_.frames > most_) {
      fail(Exit::bad_inputs, "is {:.1f} s long, more than the limit of {:g} s",
           static_cast<double>(format_.frames) / format_.samplerate, static_cast<double>(most_) / format_.samplerate);
    }
  }

  AudioInfo info() const { return {format_.samplerate, format_.channels, format_.frames}; }

  std::vector<float> samples() {
    const int64_t channels = format_.channels, block = std::max<int64_t>(1, kBlockSamples / channels);
    std::vector<float> mono, frames(static_cast<size_t>(block * channels));
    mono.reserve(std::min(static_cast<size_t>(format_.frames), 8 * memory_.bytes.size()));  // a header may boast
    for (int64_t n = 0; (n = Library::get().read(file_.get(), frames.data(), block)) > 0;) {
      if (std::ssize(mono) + n > most_) fail(Exit::bad_inputs, "is longer than its header and the limit say");
      for (int64_t i = 0; i < n; ++i) mono.push_back(mixed(frames.data() + i * channels, channels, std::ssize(mono)));
    }
    const std::string fault =
        Library::get().error(file_.get()) == SF_ERR_NO_ERROR ? "" : " (" + reason(file_.get()) + ")";
    if (std::ssize(mono) < format_.frames) {
      fail(Exit::bad_inputs, "is truncated: ends after {} of {} frames{}", with_commas(std::ssize(mono)),
           with_commas(format_.frames), fault);
    }
    if (!fault.empty()) fail(Exit::bad_inputs, "is damaged{}", fault);
    return mono;
  }

 private:
  void open() {
    if (is_mp3()) mute_decoder();
    static std::mutex mutex;  // libsndfile keeps the fault of a failed opening in one place for all threads
    const std::lock_guard lock(mutex);
    SF_VIRTUAL_IO io{Memory::length, Memory::seek, Memory::read, Memory::write, Memory::tell};
    file_.reset(Library::get().open(&io, SFM_READ, &format_, &memory_));
    if (!file_) fail(Exit::bad_inputs, "is no recording that can be read: {}", reason(nullptr));
  }

  bool is_mp3() const {
    return is_mp3_frame(memory_.bytes) ||
           (memory_.bytes.size() > 2 && std::memcmp(memory_.bytes.data(), "ID3", 3) == 0);
  }

  static std::string reason(SNDFILE* file) {
    std::string text = Library::get().text(file);
    while (text.ends_with('.')) text.pop_back();
    return text;
  }

  static float mixed(const float* frame, int64_t channels, int64_t position) {
    float sum = 0;
    for (int64_t c = 0; c < channels; ++c) {
      if (!(std::abs(frame[c]) <= kMostAmplitude)) {
        fail(Exit::bad_inputs, "sample {} is {}: expected numbers from -1 to 1", with_commas(position), frame[c]);
      }
      sum += frame[c];
    }
    return sum / static_cast<float>(channels);
  }

  Memory memory_;
  SF_INFO format_{};
  int64_t most_ = 0;
  std::unique_ptr<SNDFILE, Closer> file_;
};

}  // namespace

bool looks_like_audio(std::span<const uint8_t> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 16));
  const std::string_view form = head.size() >= 12 ? head.substr(8, 4) : "";
  if (head.starts_with("RIFF") || head.starts_with("RIFX") || head.starts_with("RF64")) return form == "WAVE";
  if (head.starts_with("FORM")) return form == "AIFF" || form == "AIFC";
  using namespace std::string_view_literals;
  for (const std::string_view start :
       {"fLaC"sv, "OggS"sv, ".snd"sv, "caff"sv, "NIST_1A\n"sv, "ID3"sv, "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"sv}) {
    if (head.starts_with(start)) return true;
  }
  return is_mp3_frame(bytes);
}

AudioInfo decode_audio_header(std::span<const uint8_t> bytes, const AudioLimits& limits) {
  return Reader(bytes, limits).info();
}

Audio decode_audio(std::span<const uint8_t> bytes, const AudioLimits& limits) {
  Reader reader(bytes, limits);
  return {reader.info().rate, reader.samples()};
}

std::vector<float> resample(const std::vector<float>& samples, int64_t from, int64_t to) {
  if (from == to) return samples;
  const double ratio = static_cast<double>(to) / static_cast<double>(from);
  if (src_is_valid_ratio(ratio) == 0) {
    fail(Exit::bad_inputs, "its rate is {} Hz: too far from {} Hz to be converted", from, to);
  }
  const auto wanted = std::max<int64_t>(1, std::llround(static_cast<double>(samples.size()) * ratio));
  if (wanted > kMostSamples) fail(Exit::bad_inputs, "is too long at {} Hz", to);
  std::vector<float> out(static_cast<size_t>(wanted));
  SRC_DATA data{};
  data.data_in = samples.data();
  data.input_frames = std::ssize(samples);
  data.data_out = out.data();
  data.output_frames = wanted;
  data.src_ratio = ratio;
  if (const int status = src_simple(&data, SRC_SINC_MEDIUM_QUALITY, 1); status != 0) {
    fail(Exit::failed, "changing the rate from {} to {} Hz: {}", from, to, src_strerror(status));
  }
  return out;
}

}  // namespace lepton
