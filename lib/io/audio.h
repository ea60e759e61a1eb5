#pragma once
// Decoding of recordings to one channel of floats, and change of their rate.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lepton {

// What a recording is, by its header. A frame is one sample of every channel.
struct AudioInfo {
  int64_t rate = 0, channels = 0, frames = 0;
};

// Samples of one channel, full scale is -1 to 1 (floating-point files may go beyond).
struct Audio {
  int64_t rate = 0;
  std::vector<float> samples;
};

struct AudioLimits {
  double max_seconds = 600;  // longer recordings are refused before anything is allocated
};

constexpr int64_t kLeastRate = 100, kMostRate = 1'000'000;  // Hz
constexpr int64_t kMostSamples = int64_t{1} << 27;          // of one recording, whatever max_seconds says

// Whether bytes begin as a recording does: WAV (RIFF, RIFX, RF64, W64), FLAC, Ogg, AIFF, AU, CAF, NIST SPHERE or MP3.
bool looks_like_audio(std::span<const uint8_t> bytes);

// Rate, channels and length of a whole file in memory. Error(bad_inputs): unreadable, empty, truncated ("is truncated:
// ends after 120 of 8,000 frames"), an impossible rate, a sample format that is not supported (named), longer than the
// limits. An Ogg or MP3 file that was cut is one that ends earlier: that cannot be seen.
AudioInfo decode_audio_header(std::span<const uint8_t> bytes, const AudioLimits& limits);

// All samples, channels mixed down to their mean. Error(bad_inputs) as above, and for samples that are not finite or
// far outside full scale.
Audio decode_audio(std::span<const uint8_t> bytes, const AudioLimits& limits);

// The same sound at another rate (band-limited, libsamplerate's medium sinc): round(n * to / from) samples, 1 at least.
// Rates lie within kLeastRate and kMostRate and differ by 256 times at most, or Error(bad_inputs).
std::vector<float> resample(const std::vector<float>& samples, int64_t from, int64_t to);

}  // namespace lepton
