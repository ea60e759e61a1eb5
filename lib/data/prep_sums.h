#pragma once
// Mean and standard deviation of the training samples.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

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

// The same of frames of floats: sums in double, of one sample in the order of its frames and of several in the order of
// add(), which is that of the inputs and not of the threads.
struct BandSums {
  std::vector<double> sum, squares;
  int64_t frames = 0;

  void add(const BandSums& other);
};

// Of one sample [T, bands].
BandSums sum_bands(std::span<const float> x, int64_t bands);

// Fills meta.mean and meta.std (of the population). A channel that never varies, or no pixels at all, gives 1 for the
// deviation, so that nothing is divided by zero.
void set_statistics(DatasetMeta& meta, const ChannelSums& sums, int64_t channels);
void set_statistics(DatasetMeta& meta, const BandSums& sums, int64_t bands);

}  // namespace lepton
