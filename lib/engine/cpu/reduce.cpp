#include "engine/cpu/reduce.h"

#include <algorithm>

#include "engine/cpu/simd.h"

namespace lepton::cpu {

template <class T>
void channel_sums(const T* x, const Map& map, int64_t n, std::vector<double>& partial, float* result) {
  const int64_t blocks = map.blocks(), lanes = simd().lanes, channels = blocks * lanes;
  partial.assign(static_cast<size_t>(kGroups * channels), 0.0);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < blocks; ++b) {
    for (int64_t g = 0; g < kGroups; ++g) {
      const GroupRange range = group_range(n, g);
      for (int64_t s = range.begin; s < range.end; ++s) {
        rows_of<T>().sum(x + s * map.sample() + b * map.plane(), map.pixels(),
                         partial.data() + g * channels + b * lanes);
      }
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    double total = 0;
    for (int64_t g = 0; g < kGroups; ++g) total += partial[static_cast<size_t>(g * channels + c)];
    result[c] = static_cast<float>(total);
  }
}

template void channel_sums(const float*, const Map&, int64_t, std::vector<double>&, float*);
template void channel_sums(const Bf16*, const Map&, int64_t, std::vector<double>&, float*);

}  // namespace lepton::cpu
