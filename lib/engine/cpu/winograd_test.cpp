#include "engine/cpu/winograd.h"

#include <cmath>

#include "engine/cpu/conv_testing.h"

namespace lepton::cpu {
namespace {

class Winograd : public OwnConvTest {
 protected:
  std::vector<float> run(int64_t first, int64_t n, int threads, Act act, bool pool) const override {
    const ConvCase& c = GetParam();
    const WinogradShape shape{{c.h, c.w, c.in}, {c.out_h, c.out_w, c.out}, c.pad_top, c.pad_left, pool};
    AlignedFloats x(n * shape.in.sample()), y(n * shape.out().sample()), work(winograd_scratch(shape, n, threads));
    for (int64_t s = 0; s < n; ++s) {
      block(shape.in, x_.data() + (first + s) * c.h * c.w * c.in, x.data() + s * shape.in.sample());
    }
    const std::vector<float> packed = pack_winograd(kernel_, c.in, c.out);
    winograd(shape, n, x.data(), aligned(packed, std::ssize(packed)).data(), bias_.data(), act, y.data(), work.data(),
             threads);
    return plain(shape.out(), n, y.data());
  }
};

TEST_P(Winograd, IsTheConvolution) {
  expect_the_convolution(2e-5 * std::sqrt(9.0 * static_cast<double>(GetParam().in)));
}
TEST_P(Winograd, PoolsWhatItComputes) { expect_its_maxpool(); }
TEST_P(Winograd, AnswersDoNotDependOnBatchOrThreads) {
  expect_the_same_for_any_batch_and_threads(Act::gelu, false);
  expect_the_same_for_any_batch_and_threads(Act::relu, true);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Winograd,
                         testing::Values(ConvCase{8, 8, 16, 16, 1, 1, 8, 8}, ConvCase{4, 4, 48, 80, 1, 1, 4, 4},
                                         ConvCase{7, 9, 20, 33, 1, 1, 7, 9}, ConvCase{5, 3, 16, 130, 0, 0, 3, 1},
                                         ConvCase{6, 5, 40, 24, 2, 2, 8, 7}, ConvCase{1, 1, 64, 64, 1, 1, 1, 1},
                                         ConvCase{33, 18, 17, 16, 1, 0, 33, 16}));

}  // namespace
}  // namespace lepton::cpu
