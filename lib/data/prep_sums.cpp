#include "data/prep_sums.h"

#include <algorithm>
#include <cmath>

namespace lepton {

void ChannelSums::add(const ChannelSums& other) {
  for (size_t c = 0; c < sum.size(); ++c) {
    sum[c] += other.sum[c];
    squares[c] += other.squares[c];
  }
  pixels += other.pixels;
}

ChannelSums sum_channels(std::span<const uint8_t> x, int64_t channels) {
  // Sums by position within 48 bytes, which is whole pixels for one and for three channels and whole vector registers.
  constexpr size_t kPeriod = 48;
  constexpr size_t kMostPeriods = 65536;  // as many squares of a byte fit into 32 bits
  const auto step = static_cast<size_t>(channels);
  ChannelSums sums;
  sums.pixels = static_cast<int64_t>(x.size() / step);
  size_t at = 0;
  while (x.size() - at >= kPeriod) {
    std::array<uint32_t, kPeriod> sum{}, squares{};
    for (size_t n = std::min((x.size() - at) / kPeriod, kMostPeriods); n > 0; --n, at += kPeriod) {
      for (size_t k = 0; k < kPeriod; ++k) {
        const uint32_t v = x[at + k];
        sum[k] += v;
        squares[k] += v * v;
      }
    }
    for (size_t k = 0; k < kPeriod; ++k) {
      sums.sum[k % step] += sum[k];
      sums.squares[k % step] += squares[k];
    }
  }
  for (size_t k = 0; at < x.size(); ++at, ++k) {
    sums.sum[k % step] += x[at];
    sums.squares[k % step] += uint64_t{x[at]} * x[at];
  }
  return sums;
}

void set_statistics(DatasetMeta& meta, const ChannelSums& sums, int64_t channels) {
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    const auto n = static_cast<double>(std::max<int64_t>(sums.pixels, 1));
    const auto spread = static_cast<__int128>(sums.squares[c]) * sums.pixels -
                        static_cast<__int128>(sums.sum[c]) * static_cast<__int128>(sums.sum[c]);
    meta.mean.push_back(static_cast<float>(static_cast<double>(sums.sum[c]) / n));
    meta.std.push_back(spread > 0 ? static_cast<float>(std::sqrt(static_cast<double>(spread)) / n) : 1.0F);
  }
}

void BandSums::add(const BandSums& other) {
  sum.resize(other.sum.size());
  squares.resize(other.squares.size());
  for (size_t b = 0; b < sum.size(); ++b) {
    sum[b] += other.sum[b];
    squares[b] += other.squares[b];
  }
  frames += other.frames;
}

BandSums sum_bands(std::span<const float> x, int64_t bands) {
  const auto step = static_cast<size_t>(bands);
  BandSums sums{std::vector<double>(step), std::vector<double>(step), static_cast<int64_t>(x.size() / step)};
  for (size_t at = 0; at + step <= x.size(); at += step) {
    for (size_t b = 0; b < step; ++b) {
      const auto v = static_cast<double>(x[at + b]);
      sums.sum[b] += v;
      sums.squares[b] += v * v;
    }
  }
  return sums;
}

void set_statistics(DatasetMeta& meta, const BandSums& sums, int64_t bands) {
  constexpr double kLeastSpread = 1e-10;  // of the mean square: below lies what rounding leaves of nothing
  for (size_t b = 0; b < static_cast<size_t>(bands); ++b) {
    const auto n = static_cast<double>(std::max<int64_t>(sums.frames, 1));
    const double mean = sums.frames > 0 ? sums.sum[b] / n : 0, square = sums.frames > 0 ? sums.squares[b] / n : 0;
    const double spread = square - mean * mean;
    meta.mean.push_back(static_cast<float>(mean));
    meta.std.push_back(spread > kLeastSpread * square ? static_cast<float>(std::sqrt(spread)) : 1.0F);
  }
}

}  // namespace lepton
