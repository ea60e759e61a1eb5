#include "engine/cpu/first_conv.h"

#include "engine/cpu/conv_testing.h"

namespace lepton::cpu {
namespace {

class FirstConv : public OwnConvTest {
 protected:
  std::vector<float> run(int64_t first, int64_t n, int threads, Act act, bool pool) const override {
    const ConvCase& c = GetParam();
    ConvSpec spec;
    spec.in = {c.h, c.w, c.in};
    spec.out = {c.out_h, c.out_w, c.out};
    spec.attributes.pad_top = c.pad_top;
    spec.attributes.pad_left = c.pad_left;
    const FirstConvShape shape = first_conv_shape(spec, pool);
    AlignedFloats y(n * shape.out().sample()), work(first_conv_scratch(shape, threads));
    const std::vector<float> packed = pack_first_conv(kernel_, c.in, c.out);
    first_conv(shape, n, planar(first, n).data(), aligned(packed, std::ssize(packed)).data(), bias_.data(), act,
               y.data(), work.data(), threads);
    return plain(shape.out(), n, y.data());
  }

 private:
  std::vector<float> planar(int64_t first, int64_t n) const {
    const ConvCase& c = GetParam();
    const int64_t pixels = c.h * c.w;
    std::vector<float> x(static_cast<size_t>(n * pixels * c.in));
    for (int64_t i = 0; i < std::ssize(x); ++i) {
      const int64_t sample = i / (pixels * c.in), channel = i / pixels % c.in, pixel = i % pixels;
      x[static_cast<size_t>(i)] = x_[static_cast<size_t>(((first + sample) * pixels + pixel) * c.in + channel)];
    }
    return x;
  }
};

TEST_P(FirstConv, IsTheConvolution) { expect_the_convolution(1e-5); }
TEST_P(FirstConv, PoolsWhatItComputes) { expect_its_maxpool(); }
TEST_P(FirstConv, AnswersDoNotDependOnBatchOrThreads) {
  expect_the_same_for_any_batch_and_threads(Act::silu, false);
  expect_the_same_for_any_batch_and_threads(Act::relu, true);
}

INSTANTIATE_TEST_SUITE_P(Shapes, FirstConv,
                         testing::Values(ConvCase{32, 32, 3, 32, 1, 1, 32, 32}, ConvCase{28, 28, 1, 24, 1, 1, 28, 28},
                                         ConvCase{7, 9, 3, 50, 1, 1, 7, 9}, ConvCase{33, 18, 3, 16, 0, 0, 31, 16},
                                         ConvCase{19, 5, 1, 100, 2, 2, 21, 7}, ConvCase{3, 3, 3, 8, 0, 0, 1, 1},
                                         ConvCase{17, 6, 3, 33, 1, 0, 17, 4}));

}  // namespace
}  // namespace lepton::cpu
