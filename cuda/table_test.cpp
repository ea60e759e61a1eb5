// The gradient of a table against plain loops.
#include "cuda/table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "base/random.h"
#include "cuda/host_policy.h"

namespace lepton::cuda {
namespace {

constexpr int64_t kTokens = 9, kWidth = 3;

uint32_t draw(uint64_t stream, int64_t i) { return random4(1, Stream::sample, stream, static_cast<uint64_t>(i)).v[0]; }

// Adds the gradient to w, which shows what is moved and by what.
struct Plus {
  struct {
    bool stands() const { return false; }
  } moving;
  float* w;
  LEPTON_HD void take(int64_t i, int32_t, float gradient) const { w[i] += gradient; }
};

// Token 1 stands at every second place, so that its places fill more than a run.
TEST(TableGradient, SumsThePlacesOfEachToken) {
  for (const int64_t count : {1, 31, 32, 33, 100, 1000, 4097}) {
    SCOPED_TRACE(count);
    HostPolicy policy;
    std::vector<int32_t> tokens;
    std::vector<float> dy, table(static_cast<size_t>(kTokens * kWidth), 1.0F);
    std::map<int64_t, double> expected;
    for (int64_t i = 0; i < count; ++i) {
      tokens.push_back(i % 2 == 0 ? 1 : static_cast<int32_t>(below(draw(0, i), kTokens - 2)));
      for (int64_t c = 0; c < kWidth; ++c) {
        dy.push_back(uniform(draw(1, i * kWidth + c)));
        if (tokens.back() != 0) expected[tokens.back() * kWidth + c] += static_cast<double>(dy.back());
      }
    }
    const auto on_device = [&policy](const auto& host) {
      Memory<HostPolicy> memory(policy, static_cast<int64_t>(host.size() * sizeof(host[0])));
      policy.upload(memory.template as<void>(), host.data(), memory.bytes());
      return memory;
    };
    const auto token_memory = on_device(tokens), gradient = on_device(dy), w = on_device(table);
    const auto average = on_device(table), square = on_device(std::vector<double>{0.5});
    TableGradient<HostPolicy> rows(policy, {kTokens, kWidth}, 5000);
    rows.compute(token_memory.as<int32_t>(), count, gradient.as<float>());
    rows.add_square(square.as<double>());
    rows.update(Plus{{}, w.as<float>()}, 0, 0, average.as<float>(), 0.75F);
    double norm = 0, right = 0.5;
    policy.download(&norm, square.as<void>(), sizeof(norm));
    std::vector<float> moved(table.size()), averaged(table.size());
    policy.download(moved.data(), w.as<void>(), w.bytes());
    policy.download(averaged.data(), average.as<void>(), average.bytes());
    for (int64_t i = 0; i < kTokens * kWidth; ++i) {
      const auto at = static_cast<size_t>(i);
      const double sum = expected.contains(i) ? expected[i] : 0;
      right += sum * sum;
      EXPECT_NEAR(static_cast<double>(moved[at]), 1 + sum, 1e-6 * (1 + sum)) << i;
      EXPECT_NEAR(averaged[at], 0.75F + 0.25F * moved[at], 1e-4F * moved[at]) << i;
      EXPECT_EQ(moved[at] != 1.0F, expected.contains(i)) << i;
    }
    EXPECT_NEAR(norm, right, 1e-5 * right);
  }
}

}  // namespace
}  // namespace lepton::cuda
