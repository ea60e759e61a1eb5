#pragma once
// Cutting recordings to length.
#include <cstdint>
#include <span>
#include <vector>

namespace lepton {

enum class CropMode { centre, energy };

// The part between the first and the last window of 25 ms (every 10 ms) whose power is at most `below_db` decibels
// under the loudest window's. All of it where nothing is louder than silence.
std::span<const float> trim_silence(std::span<const float> samples, int64_t rate, int64_t below_db);

// Scales samples so that the largest is 1 or -1; silence stays as it is.
void to_full_scale(std::span<float> samples);

// Exactly `length` samples: of a longer recording its middle, or the part of most energy (the first of equal ones); a
// shorter one with zeros on both sides, one more behind it where they are odd.
std::vector<float> fit_length(std::span<const float> samples, int64_t length, CropMode mode);

}  // namespace lepton
