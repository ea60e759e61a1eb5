#pragma once
// Mean and standard deviation of the training images.
#include <array>
#include <cstdint>
#include <span>

#include "data/dataset.h"

namespace lepton {

// Sums of the values of each channel and of their squares, in integers, so that neither order nor thread count can
// change mean and deviation.
struct ChannelSums {
  std::array<uint64_t, 3> sum{}, squares{};
  int64_t pixels = 0;

  void add(const ChannelSums& other);
};

// Of one image [H,W,C], C 1 or 3.
ChannelSums sum_channels(std::span<const uint8_t> x, int64_t channels);

// Fills meta.mean and meta.std (of the population). A channel that never varies, or no pixels at all, gives 1 for the
// deviation, so that nothing is divided by zero.
void set_statistics(DatasetMeta& meta, const ChannelSums& sums, int64_t channels);

}  // namespace lepton
