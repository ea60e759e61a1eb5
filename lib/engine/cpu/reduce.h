#pragma once
// Sums over samples and pixels in a fixed order, whatever the number of threads.
#include <cstdint>
#include <vector>

#include "engine/cpu/layout.h"

namespace lepton::cpu {

// Samples are summed in this many groups, each on one thread, and the groups' sums added in order.
constexpr int64_t kGroups = 16;

struct GroupRange {
  int64_t begin, end;
};
inline GroupRange group_range(int64_t samples, int64_t group) {
  return {samples * group / kGroups, samples * (group + 1) / kGroups};
}

// result[c] = sum of x over the first n samples and all pixels; padding included. `partial` is working room, sized
// here.
void channel_sums(const float* x, const Map& map, int64_t n, std::vector<double>& partial, float* result);

}  // namespace lepton::cpu
