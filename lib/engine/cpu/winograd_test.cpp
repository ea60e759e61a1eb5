#include "engine/cpu/winograd.h"

#include <cmath>

#include "engine/cpu/conv_testing.h"

namespace lepton::cpu {
namespace {

// T: what maps are stored as, P: what is multiplied.
template <class T, class P>
class WinogradOf : public OwnConvTest {
 protected:
  std::vector<float> run(int64_t first, int64_t n, int threads, Act act, bool pool) const override {
    const WinogradShape shape = shape_of(pool);
    const std::vector<P> packed = pack_winograd<P>(kernel_, shape.in.c, shape.conv.c);
    AlignedFloats y(n * shape.out().sample()), work(winograd_scratch<P>(shape, n, threads));
    const AlignedFloats x = maps(shape.in, x_.data() + first * shape.in.pixels() * shape.in.c, n);
    const AlignedFloats u = copied(packed);
    winograd(shape, n, as<T>(x), as<P>(u), bias_.data(), act, as<T>(y), work.data(), threads);
    return values(shape.out(), n, y);
  }

  WinogradShape shape_of(bool pool) const {
    const ConvCase& c = GetParam();
    return {{c.h, c.w, c.in}, {c.out_h, c.out_w, c.out}, c.pad_top, c.pad_left, pool};
  }

  // What training's passes give: the gradient of `sum(dy * conv(x))` in x and in the kernel, and what is expected.
  void expect_the_gradients(int threads, double tolerance) const {
    const WinogradShape shape = shape_of(false), turned = shape.turned();
    const int64_t inputs = shape.in.c, outputs = shape.conv.c, n = kSamples;
    const std::vector<float> dy_plain = noise(4, n * shape.conv.pixels() * outputs);
    const AlignedFloats x = maps(shape.in, x_.data(), n), dy = maps(shape.conv, dy_plain.data(), n);
    const Packing packing = winograd_packing(inputs, outputs);
    const Shape kernel_shape{3, 3, inputs, outputs};
    AlignedFloats kernel(packing.size), dkernel(packing.size), u(winograd_kernel_size(inputs, outputs));
    AlignedFloats dx(n * shape.in.sample()), none(padded_channels(inputs));
    pack(packing, kernel_shape, kernel_.data(), kernel.data());

    winograd_kernel(kernel.data(), inputs, outputs, true, as<P>(u));
    AlignedFloats work(winograd_scratch<P>(turned, n, threads));
    winograd(turned, n, as<T>(dy), as<P>(u), none.data(), Act::none, as<T>(dx), work.data(), threads);
    AlignedFloats gradient_work(winograd_gradient_scratch<P>(shape, n, threads));
    winograd_gradient<T, P>(shape, n, as<T>(x), as<T>(dy), dkernel.data(), gradient_work.data(), threads);

    std::vector<double> dx_expected(x_.size()), dk_expected(kernel_.size());
    over_products([&](size_t i, size_t k, size_t o) {
      dx_expected[i] += static_cast<double>(kernel_[k]) * static_cast<double>(dy_plain[o]);
      dk_expected[k] += static_cast<double>(x_[i]) * static_cast<double>(dy_plain[o]);
    });
    expect_near(values(shape.in, n, dx), dx_expected, tolerance, "dx");
    std::vector<float> dk(kernel_.size());
    unpack(packing, kernel_shape, dkernel.data(), dk.data());
    expect_near(dk, dk_expected, tolerance, "dkernel");
  }

  // The forward pass from a kernel of training is that from one of inference.
  void expect_the_same_kernel() const {
    const int64_t inputs = GetParam().in, outputs = GetParam().out;
    const Packing packing = winograd_packing(inputs, outputs);
    AlignedFloats kernel(packing.size), u(winograd_kernel_size(inputs, outputs));
    pack(packing, {3, 3, inputs, outputs}, kernel_.data(), kernel.data());
    winograd_kernel(kernel.data(), inputs, outputs, false, as<P>(u));
    const std::vector<P> expected = pack_winograd<P>(kernel_, inputs, outputs);
    const double tolerance = std::is_same_v<P, Bf16> ? 0.02 : 1e-5;
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(static_cast<float>(as<P>(u)[i]), static_cast<float>(expected[i]), tolerance) << i;
    }
  }

 private:
  template <class E>
  static E* as(const AlignedFloats& floats) {
    return reinterpret_cast<E*>(floats.data());
  }
  static AlignedFloats copied(const std::vector<P>& from) {
    AlignedFloats copy(std::ssize(from));
    std::copy(from.begin(), from.end(), as<P>(copy));
    return copy;
  }
  static AlignedFloats maps(const Map& map, const float* plain, int64_t n) {
    AlignedFloats blocked(n * map.sample()), stored(n * map.sample());
    for (int64_t s = 0; s < n; ++s) block(map, plain + s * map.pixels() * map.c, blocked.data() + s * map.sample());
    for (int64_t i = 0; i < n * map.sample(); ++i) as<T>(stored)[i] = T(blocked.data()[i]);
    return stored;
  }
  static std::vector<float> values(const Map& map, int64_t n, const AlignedFloats& stored) {
    AlignedFloats blocked(n * map.sample());
    for (int64_t i = 0; i < n * map.sample(); ++i) blocked.data()[i] = static_cast<float>(as<T>(stored)[i]);
    return plain(map, n, blocked.data());
  }
  static void expect_near(const std::vector<float>& found, const std::vector<double>& expected, double tolerance,
                          const char* what) {
    double square = 0;
    for (const double e : expected) square += e * e;
    const double typical = std::sqrt(square / static_cast<double>(expected.size())) + 1e-3;
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(found[i], expected[i], tolerance * typical) << what << ' ' << i;
    }
  }

  // f(place in x, in the kernel, in y) of every product.
  template <class F>
  void over_products(F f) const {
    const ConvCase& c = GetParam();
    for (int64_t o = 0; o < kSamples * c.out_h * c.out_w; ++o) {
      const int64_t sample = o / (c.out_h * c.out_w), row = o / c.out_w % c.out_h, column = o % c.out_w;
      for (int64_t tap = 0; tap < 9; ++tap) {
        const int64_t y = row + tap / 3 - c.pad_top, x = column + tap % 3 - c.pad_left;
        if (y < 0 || y >= c.h || x < 0 || x >= c.w) continue;
        for (int64_t i = 0; i < c.in; ++i) {
          for (int64_t k = 0; k < c.out; ++k) {
            f(static_cast<size_t>(((sample * c.h + y) * c.w + x) * c.in + i),
              static_cast<size_t>((tap * c.in + i) * c.out + k), static_cast<size_t>(o * c.out + k));
          }
        }
      }
    }
  }
};

using Winograd = WinogradOf<float, float>;

TEST_P(Winograd, IsTheConvolution) {
  expect_the_convolution(2e-5 * std::sqrt(9.0 * static_cast<double>(GetParam().in)));
}
TEST_P(Winograd, PoolsWhatItComputes) { expect_its_maxpool(); }
TEST_P(Winograd, AnswersDoNotDependOnBatchOrThreads) {
  expect_the_same_for_any_batch_and_threads(Act::gelu, false);
  expect_the_same_for_any_batch_and_threads(Act::relu, true);
}
TEST_P(Winograd, GradientsAreThose) {
  for (const int threads : {1, 2, 3}) expect_the_gradients(threads, 1e-4);
}
TEST_P(Winograd, TrainingPacksTheSameKernel) { expect_the_same_kernel(); }

// In bf16: inference on floats, training on bf16.
template <class T>
class InBf16 : public WinogradOf<T, Bf16> {
 protected:
  void SetUp() override {
    if (!has_bf16()) GTEST_SKIP() << "this processor multiplies no bf16";
    WinogradOf<T, Bf16>::SetUp();
  }
};
using WinogradBf16 = InBf16<float>;
using WinogradAllBf16 = InBf16<Bf16>;

TEST_P(WinogradBf16, IsTheConvolution) { expect_the_convolution(0.1 * std::sqrt(static_cast<double>(GetParam().in))); }
TEST_P(WinogradBf16, PoolsWhatItComputes) { expect_its_maxpool(); }
TEST_P(WinogradBf16, AnswersDoNotDependOnBatchOrThreads) {
  expect_the_same_for_any_batch_and_threads(Act::gelu, false);
  expect_the_same_for_any_batch_and_threads(Act::relu, true);
}
TEST_P(WinogradAllBf16, IsTheConvolution) {
  expect_the_convolution(0.1 * std::sqrt(static_cast<double>(GetParam().in)));
}
TEST_P(WinogradAllBf16, GradientsAreThose) {
  for (const int threads : {1, 2, 3}) expect_the_gradients(threads, 0.1);
}
TEST_P(WinogradAllBf16, TrainingPacksTheSameKernel) { expect_the_same_kernel(); }

const auto kShapes = testing::Values(ConvCase{8, 8, 16, 16, 1, 1, 8, 8}, ConvCase{4, 4, 48, 80, 1, 1, 4, 4},
                                     ConvCase{7, 9, 20, 33, 1, 1, 7, 9}, ConvCase{5, 3, 16, 130, 0, 0, 3, 1},
                                     ConvCase{6, 5, 40, 24, 2, 2, 8, 7}, ConvCase{1, 1, 64, 64, 1, 1, 1, 1},
                                     ConvCase{33, 18, 17, 16, 1, 0, 33, 16});

const auto kLarge = testing::Values(ConvCase{4, 4, 136, 260, 1, 1, 4, 4});  // threads share out its outputs
INSTANTIATE_TEST_SUITE_P(Shapes, Winograd, kShapes);
INSTANTIATE_TEST_SUITE_P(Large, Winograd, kLarge);
INSTANTIATE_TEST_SUITE_P(Large, WinogradBf16, kLarge);
INSTANTIATE_TEST_SUITE_P(Shapes, WinogradBf16, kShapes);
INSTANTIATE_TEST_SUITE_P(Shapes, WinogradAllBf16, kShapes);

}  // namespace
}  // namespace lepton::cpu
