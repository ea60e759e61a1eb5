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

void ColumnSums::add(std::span<const float> x, int64_t columns) {
  const auto width = static_cast<size_t>(columns);
  if (rows == 0 && x.size() >= width) {
    first.assign(x.begin(), x.begin() + columns);
    sum.assign(width, 0);
    squares.assign(width, 0);
  }
  for (size_t at = 0; at + width <= x.size(); at += width) {
    for (size_t c = 0; c < width; ++c) {
      const double v = static_cast<double>(x[at + c]) - first[c];
      sum[c] += v;
      squares[c] += v * v;
    }
    ++rows;
  }
}

void ColumnSums::statistics(int64_t columns, std::vector<float>& mean, std::vector<float>& std) const {
  const auto n = static_cast<double>(std::max<int64_t>(rows, 1));
  for (size_t c = 0; c < static_cast<size_t>(columns); ++c) {
    const double m = rows > 0 ? sum[c] / n : 0, variance = rows > 0 ? squares[c] / n - m * m : 0;
    const auto deviation = variance > 0 ? static_cast<float>(std::sqrt(variance)) : 0.0F;
    mean.push_back(static_cast<float>((rows > 0 ? first[c] : 0) + m));
    std.push_back(deviation > 0 && std::isfinite(deviation) ? deviation : 1.0F);
  }
}

}  // namespace lepton
