#include "engine/planner.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace lepton {
namespace {

TEST(Planner, SharesBytesOfBuffersThatDoNotMeet) {
  std::vector<PlannedBuffer> buffers = {{100, 0, 1}, {100, 2, 3}, {60, 1, 2}};
  EXPECT_EQ(plan_arena(buffers), 128 + 64);
  EXPECT_EQ(buffers[0].offset, buffers[1].offset);
  EXPECT_EQ(buffers[2].offset, 128);
}

TEST(Planner, NeverUsedTakesNothing) {
  std::vector<PlannedBuffer> buffers = {{100, -1, -1}};
  EXPECT_EQ(plan_arena(buffers), 0);
}

TEST(Planner, LiveBuffersNeverOverlap) {
  for (uint64_t trial = 0; trial < 50; ++trial) {
    std::vector<PlannedBuffer> buffers;
    for (uint64_t i = 0; i < 30; ++i) {
      const Random4 r = random4(trial, Stream::sample, 0, i);
      const int first = static_cast<int>(below(r.v[0], 20));
      buffers.push_back({1 + below(r.v[1], 1000), first, first + static_cast<int>(below(r.v[2], 10))});
    }
    const int64_t size = plan_arena(buffers);
    for (size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(buffers[i].offset % 64, 0);
      EXPECT_LE(buffers[i].offset + buffers[i].bytes, size);
      for (size_t j = 0; j < i; ++j) {
        const PlannedBuffer &a = buffers[i], &b = buffers[j];
        const bool together = a.first <= b.last && b.first <= a.last;
        const bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
        EXPECT_FALSE(together && overlap);
      }
    }
  }
}

}  // namespace
}  // namespace lepton
