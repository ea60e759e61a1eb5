// The host policy is as strict as it says, or the tests over it prove nothing.
#include "cuda/host_policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cuda/memory.h"

namespace lepton::cuda {
namespace {

struct Fill {
  float* x;
  void operator()(int64_t i) const { x[i] = static_cast<float>(i); }
};

struct Order {
  float* x;
  float* next;
  void operator()(int64_t i) const { x[i] = (*next)++; }
};

std::vector<float> fetched(HostPolicy& policy, const float* data, int64_t count) {
  std::vector<float> host(static_cast<size_t>(count));
  policy.download(host.data(), data, count * 4);
  return host;
}

float* floats(HostPolicy& policy, const std::vector<float>& values) {
  const auto bytes = static_cast<int64_t>(values.size()) * 4;
  auto* data = static_cast<float*>(policy.allocate(bytes));
  policy.upload(data, values.data(), bytes);
  return data;
}

TEST(HostPolicyDeathTest, KeepsTheHostOut) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  HostPolicy policy;
  auto* data = static_cast<float*>(policy.allocate(64));
  policy.launch(16, Fill{data});
  EXPECT_DEATH(EXPECT_EQ(data[0], 1), "");
  EXPECT_DEATH(data[0] = 1, "");
}

TEST(HostPolicyDeathTest, EndsAtAGuardPage) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  HostPolicy policy;
  auto* data = static_cast<float*>(policy.allocate(256));
  EXPECT_DEATH(policy.launch(65, Fill{data}), "");
}

TEST(HostPolicy, NewMemoryIsNotANumber) {
  HostPolicy policy;
  for (const float v : fetched(policy, static_cast<float*>(policy.allocate(400)), 100)) EXPECT_TRUE(std::isnan(v));
}

TEST(HostPolicy, VisitsEveryIndexOnceInAnotherOrderEachTime) {
  HostPolicy policy;
  for (const int64_t n : {1, 2, 3, 4, 10, 97, 1000}) {
    std::vector<std::vector<float>> orders;
    for (int round = 0; round < 2; ++round) {
      float *x = floats(policy, std::vector<float>(static_cast<size_t>(n), -1)), *next = floats(policy, {0});
      policy.launch(n, Order{x, next});
      std::vector<float> order = fetched(policy, x, n);
      orders.push_back(order);
      std::sort(order.begin(), order.end());
      for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], static_cast<float>(i)) << n;
    }
    EXPECT_TRUE(n <= 3 || orders[0] != orders[1]) << n;
  }
}

TEST(HostPolicy, RefusesCopiesThatAreNotWithinOneAllocation) {
  HostPolicy policy;
  auto* data = static_cast<char*>(policy.allocate(100));
  std::vector<char> host(200);
  EXPECT_NO_THROW(policy.download(host.data(), data + 50, 50));
  EXPECT_THROW(policy.download(host.data(), data + 50, 51), Error);
  EXPECT_THROW(policy.download(host.data(), host.data(), 1), Error);
}

// [2,3] x [3,2] in each of the four forms, with leading dimensions larger than the matrices.
TEST(HostPolicy, GemmIsColumnMajorWithLeadingDimensions) {
  HostPolicy policy;
  const auto a = [](int64_t i, int64_t k) { return static_cast<float>(1 + i + 2 * k); };
  const auto b = [](int64_t k, int64_t j) { return static_cast<float>(3 - k + 5 * j); };
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      std::vector<float> av(20, NAN), bv(20, NAN), cv(8, 100);
      for (int64_t k = 0; k < 3; ++k) {
        for (int64_t i = 0; i < 2; ++i) av[static_cast<size_t>(ta ? i * 4 + k : k * 4 + i)] = a(i, k);
        for (int64_t j = 0; j < 2; ++j) bv[static_cast<size_t>(tb ? k * 5 + j : j * 5 + k)] = b(k, j);
      }
      float* c = floats(policy, cv);
      policy.gemm({ta, tb, 2, 2, 3, floats(policy, av), 4, floats(policy, bv), 5, c, 3, 2, 0.5F});
      const std::vector<float> result = fetched(policy, c, 8);
      for (int64_t j = 0; j < 2; ++j) {
        for (int64_t i = 0; i < 2; ++i) {
          float sum = 0;
          for (int64_t k = 0; k < 3; ++k) sum += a(i, k) * b(k, j);
          EXPECT_EQ(result[static_cast<size_t>(j * 3 + i)], 2 * sum + 50) << ta << tb;
        }
      }
      EXPECT_EQ(result[2], 100);  // between the columns
    }
  }
  float* x = floats(policy, {1, 2, 3, 4});
  EXPECT_THROW(policy.gemm({false, false, 2, 2, 1, x, 1, x, 1, x, 2}), Error);
}

TEST(HostPolicy, GemmStridesOverABatchAndDoesNotReadCWhenBetaIsZero) {
  HostPolicy policy;
  float *a = floats(policy, {1, 2, 3}), *b = floats(policy, {10, 20, 30, 40, 50}), *c = floats(policy, {NAN, NAN, NAN});
  policy.gemm({false, false, 1, 1, 1, a, 1, b, 1, c, 1, 1, 0, 3, 1, 2, 1});
  EXPECT_EQ(fetched(policy, c, 3), (std::vector<float>{10, 60, 150}));
}

}  // namespace
}  // namespace lepton::cuda
