#pragma once
// Mean and standard deviation of the training images.
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

// Fills meta.mean and meta.std (of the population). A channel that never varies, or no pixels at all, gives 1 for the
// deviation, so that nothing is divided by zero.
void set_statistics(DatasetMeta& meta, const ChannelSums& sums, int64_t channels);

// Sums of f32 columns (the last axis) in double precision, less each column's first value, so that a large offset costs
// no digits. The order of adding counts: add in the order of the samples.
struct ColumnSums {
  std::vector<double> first, sum, squares;
  int64_t rows = 0;

  void add(std::span<const float> x, int64_t columns);  // [rows, columns]
  // Appends mean and deviation (of the population; 1 for a column that never varies) of each of the columns.
  void statistics(int64_t columns, std::vector<float>& mean, std::vector<float>& std) const;
};

}  // namespace lepton
