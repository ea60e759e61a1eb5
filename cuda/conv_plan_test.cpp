// Each plan against plain loops over windows, in chunks and whole, in every precision.
#include "cuda/conv_plan.h"

#include <gtest/gtest.h>

#include <memory>

#include "cuda/conv_choice.h"
#include "cuda/conv_tripled.h"
#include "cuda/host_policy.h"
#include "cuda/plan_check.h"

namespace lepton::cuda {
namespace {

// make<T>(shape, chunk, tf32) for each precision, over 5 samples.
template <class Make>
void check_in_every_precision(const ConvShape& shape, int64_t chunk, Make make) {
  constexpr int64_t kSamples = 5;
  const auto check = [&]<class T>(T, bool tf32) {
    SCOPED_TRACE(fmt::format("{}x{}x{} to {}x{}x{}, chunks of {}, type {}, tf32 {}", shape.height, shape.width,
                             shape.channels, shape.out_height, shape.out_width, shape.filters, chunk,
                             static_cast<int>(kTypeOf<T>), tf32));
    HostPolicy policy;
    const auto plan = make.template operator()<T>(shape, chunk, tf32);
    EXPECT_LE((plan_deviation<HostPolicy, T>(*plan, policy, shape, kSamples)), most_deviation<T>(tf32));
  };
  check(0.0F, false);
  check(0.0F, true);
  check(Bf16(0.0F), false);
  check(Half(0.0F), false);
}

TEST(Im2colPlan, DoesAsPlainLoopsInChunksOfAnySize) {
  const ConvShape shapes[] = {
      {5, 7, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, 1},  // 3x3, same
      {9, 8, 2, 4, 4, 5, 3, 2, 2, 2, 0, 0, 1},  // strided, valid; a row is left out
      {8, 9, 3, 8, 9, 2, 3, 3, 1, 1, 2, 2, 2},  // dilated
      {6, 5, 1, 2, 5, 3, 1, 1, 3, 1, 0, 0, 1},  // strided 1x1
      {3, 4, 5, 3, 4, 7, 1, 1, 1, 1, 0, 0, 1},  // pointwise
      {4, 3, 8, 2, 2, 3, 3, 3, 2, 2, 1, 1, 1},  // 8 channels are copied at once
  };
  for (const ConvShape& shape : shapes) {
    for (const int64_t chunk : {1, 2, 3, 5}) {
      check_in_every_precision(shape, chunk, []<class T>(const ConvShape& s, int64_t samples, bool tf32) {
        return std::make_unique<Im2colPlan<HostPolicy, T>>(s, samples, tf32);
      });
    }
  }
}

// Bias gradients come with the kernel's where all samples are one chunk.
TEST(Im2colPlan, GivesTheBiasGradientUnlessInChunks) {
  const ConvShape s{3, 3, 2, 3, 3, 4, 3, 3, 1, 1, 1, 1, 1};
  using Values = OnDevice<HostPolicy, float>;
  HostPolicy policy;
  const Values x(policy, random_floats<float>(2 * s.in_size(), 1)), dy(policy, random_floats<float>(2 * 9 * 4, 2));
  const Values dw(policy, Floats(18 * 4)), db(policy, Floats(4));
  for (const int64_t chunk : {1, 2}) {
    Im2colPlan<HostPolicy, float> plan(s, chunk, false);
    const Memory<HostPolicy> work(policy, plan.work_bytes());
    EXPECT_EQ(plan.kernel_gradient(policy, 2, x.data(), dy.data(), dw.data(), db.data(), work.as<void>()), chunk == 2);
  }
}

TEST(TripledPlan, DoesAsPlainLoopsInChunksOfAnySize) {
  const ConvShape shapes[] = {
      {5, 7, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, 1},    // same
      {7, 5, 4, 6, 4, 5, 3, 3, 1, 1, 1, 1, 1},    // without the last row and column
      {7, 7, 2, 4, 7, 3, 3, 3, 1, 1, 1, 1, 1},    // without some rows
      {6, 6, 1, 6, 3, 2, 3, 3, 1, 1, 1, 1, 1},    // without some columns
      {1, 1, 3, 1, 1, 2, 3, 3, 1, 1, 1, 1, 1},    // nothing but edges
      {1, 4, 2, 1, 4, 1, 3, 3, 1, 1, 1, 1, 1},    // one row
      {4, 1, 2, 4, 1, 3, 3, 3, 1, 1, 1, 1, 1},    // one column
      {4, 3, 8, 4, 3, 16, 3, 3, 1, 1, 1, 1, 1},   // 8 channels are copied at once
      {3, 5, 12, 2, 5, 20, 3, 3, 1, 1, 1, 1, 1},  // 4 are in fp32
  };
  for (const ConvShape& shape : shapes) {
    ASSERT_TRUE(tripled_fits(shape));
    for (const int64_t chunk : {1, 2, 5}) {
      check_in_every_precision(shape, chunk, []<class T>(const ConvShape& s, int64_t samples, bool tf32) {
        return std::make_unique<TripledPlan<HostPolicy, T>>(s, samples, tf32);
      });
    }
  }
}

TEST(TripledPlan, FitsThreeByThreeWithStrideOneAndPaddingOneOnly) {
  const ConvShape fits{5, 7, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, 1};
  for (int64_t ConvShape::* const number :
       {&ConvShape::kernel_h, &ConvShape::kernel_w, &ConvShape::stride_h, &ConvShape::stride_w, &ConvShape::pad_top,
        &ConvShape::pad_left, &ConvShape::dilation, &ConvShape::out_height, &ConvShape::out_width}) {
    ConvShape s = fits;
    s.*number += 1;
    EXPECT_FALSE(tripled_fits(s));
  }
}

constexpr int64_t kWork = int64_t{512} << 20;  // as EngineOptions has it

// Layers of resnet9 and speed94 at their batches, in bf16; and what no tripled rows are for.
TEST(ChooseConv, IsByModelAlone) {
  const ConvShape wide{16, 16, 128, 16, 16, 128, 3, 3, 1, 1, 1, 1, 1};
  ConvShape odd = wide, strided = wide;
  odd.channels = 12;
  strided.stride_h = strided.stride_w = 2, strided.out_height = strided.out_width = 8;
  for (const ConvPass pass : {ConvPass::forward, ConvPass::data_gradient, ConvPass::kernel_gradient}) {
    const ConvChoice choice = choose_conv(wide, pass, 1024, Type::bf16, false, kWork);
    EXPECT_GT(choice.other_seconds, choice.seconds);
    EXPECT_FALSE(choose_conv(odd, pass, 1024, Type::bf16, false, kWork).tripled);
    EXPECT_FALSE(choose_conv(strided, pass, 1024, Type::bf16, false, kWork).tripled);
    EXPECT_FALSE(choose_conv(wide, pass, 1, Type::bf16, false, kWork).tripled);  // launches are all that counts
  }
  EXPECT_TRUE(choose_conv(wide, ConvPass::forward, 1024, Type::bf16, false, kWork).tripled);
  constexpr int64_t kRoom = int64_t{4} << 20;
  EXPECT_LE((choose_conv_plan<HostPolicy, Bf16>(wide, 1024, false, kRoom)->work_bytes()), 2 * kRoom);
  const auto plan = choose_conv_plan<HostPolicy, Bf16>(wide, 1024, false, kWork);
  EXPECT_NE(plan->name().find("forward: tripled rows in "), std::string::npos) << plan->name();
  EXPECT_NE(plan->name().find(", im2col "), std::string::npos) << plan->name();
}

TEST(ChosenPlan, ComputesEachPassWithItsOwnPlan) {
  const ConvShape mixed{4, 4, 64, 4, 4, 16, 3, 3, 1, 1, 1, 1, 1};
  constexpr int64_t kBatch = 1024;
  EXPECT_FALSE(choose_conv(mixed, ConvPass::forward, kBatch, Type::bf16, false, kWork).tripled);
  EXPECT_TRUE(choose_conv(mixed, ConvPass::data_gradient, kBatch, Type::bf16, false, kWork).tripled);
  HostPolicy policy;
  ChosenPlan<HostPolicy, Bf16> plan(mixed, kBatch, false, kWork);
  EXPECT_LE((plan_deviation<HostPolicy, Bf16>(plan, policy, mixed, 3)), most_deviation<Bf16>(false));
}

}  // namespace
}  // namespace lepton::cuda
