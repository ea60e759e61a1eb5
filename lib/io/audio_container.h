#pragma once
// What libsndfile does not say about a file: that it was cut, and which sample format it cannot read.
#include <cstdint>
#include <span>
#include <string>

namespace lepton {

// What is wrong with a recording by its container (WAV and its kin, AIFF, AU), or "": truncated, a rate of zero, a
// sample format that is not read, by name. Reads nothing outside of `bytes`, whatever they say.
std::string container_problem(std::span<const uint8_t> bytes);

}  // namespace lepton
