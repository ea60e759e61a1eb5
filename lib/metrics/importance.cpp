#include "metrics/importance.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/random.h"

namespace lepton {
namespace {

// 97.5th percentile of Student's t by degrees of freedom, from 1; the normal one beyond the table's end.
double student(int64_t freedom) {
  constexpr std::array<double, 19> kTable = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                             2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093};
  return freedom <= std::ssize(kTable) ? kTable[static_cast<size_t>(freedom - 1)] : 2.0;
}

std::vector<size_t> permutation(size_t n, uint64_t seed, uint64_t which) {
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = n; i > 1; --i) {
    std::swap(order[i - 1], order[below(random4(seed, Stream::resample, which, i).v[0], static_cast<uint32_t>(i))]);
  }
  return order;
}

}  // namespace

std::vector<Importance> permutation_importance(std::span<const float> x, int64_t width,
                                               std::span<const ColumnGroup> groups,
                                               const std::function<double(std::span<const float>)>& metric,
                                               int64_t repeats, uint64_t seed) {
  const auto w = static_cast<size_t>(width);
  const size_t n = x.size() / w;
  const double whole = metric(x);
  std::vector<float> changed(x.begin(), x.end());
  std::vector<Importance> result;
  for (size_t g = 0; g < groups.size(); ++g) {
    std::vector<double> drops;
    for (int64_t r = 0; r < repeats; ++r) {
      const std::vector<size_t> from = permutation(n, seed, g * static_cast<size_t>(repeats) + static_cast<size_t>(r));
      for (size_t i = 0; i < n; ++i) {
        for (const int64_t c : groups[g].columns) {
          changed[i * w + static_cast<size_t>(c)] = x[from[i] * w + static_cast<size_t>(c)];
        }
      }
      drops.push_back(whole - metric(changed));
    }
    for (size_t i = 0; i < n; ++i) {
      for (const int64_t c : groups[g].columns)
        changed[i * w + static_cast<size_t>(c)] = x[i * w + static_cast<size_t>(c)];
    }
    const auto count = static_cast<double>(repeats);
    const double mean = std::accumulate(drops.begin(), drops.end(), 0.0) / count;
    double squares = 0;
    for (const double d : drops) squares += (d - mean) * (d - mean);
    const double half = student(repeats - 1) * std::sqrt(squares / (count - 1) / count);
    result.push_back({groups[g].name, {mean, mean - half, mean + half}});
  }
  std::sort(result.begin(), result.end(), [](const Importance& a, const Importance& b) {
    return a.drop.value != b.drop.value ? a.drop.value > b.drop.value : a.name < b.name;
  });
  return result;
}

}  // namespace lepton
