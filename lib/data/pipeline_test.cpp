#include "data/pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

namespace lepton {
namespace {

TEST(RunInOrder, SameOrderAtAnyNumberOfThreads) {
  for (const int threads : {1, 2, 7}) {
    int next = 0;
    std::vector<int> got;
    run_in_order<int>(
        threads,
        [&](int& block) {
          block = next;
          return next++ < 500;
        },
        [](int& block) { block = block * block; }, [&](int& block) { got.push_back(block); });
    ASSERT_EQ(got.size(), 500U) << threads;
    for (int i = 0; i < 500; ++i) EXPECT_EQ(got[static_cast<size_t>(i)], i * i);
  }
}

TEST(RunInOrder, AnExceptionAnywhereEndsAll) {
  for (int stage = 0; stage < 3; ++stage) {
    int next = 0;
    const auto at = [&](int wanted, int block) {
      if (stage == wanted && block == 20) throw std::runtime_error("stop");
    };
    EXPECT_THROW(run_in_order<int>(
                     4,
                     [&](int& block) {
                       block = next++;
                       at(0, block);
                       return true;
                     },
                     [&](int& block) { at(1, block); }, [&](int& block) { at(2, block); }),
                 std::runtime_error)
        << stage;
  }
}

}  // namespace
}  // namespace lepton
