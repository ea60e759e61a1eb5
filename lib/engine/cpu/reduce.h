#pragma once
// Sums over samples and pixels in a fixed order, whatever the number of threads.
#include <cstdint>
#include <vector>

#include "engine/cpu/layout.h"
#include "kernels/reduce.h"

namespace lepton::cpu {

// Samples are summed in so many groups, each on one thread, and the groups' sums added in order.
using kernels::group_range;
using kernels::GroupRange;
constexpr int64_t kGroups = kernels::kReduceGroups;

// result[c] = sum of x over the first n samples and all pixels; padding included. `partial` is working room, sized
// here.
template <class T>
void channel_sums(const T* x, const Map& map, int64_t n, std::vector<double>& partial, float* result);

}  // namespace lepton::cpu
