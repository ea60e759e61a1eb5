// The host policy is as strict as it says, or the tests over it prove nothing.
#include "cuda/host_policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cuda/epilogue.h"
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

struct Accumulate {
  const float* x;
  float* sum;
  void operator()(int64_t) const { *sum += x[0] + x[1]; }
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

// Columns of a matrix never overlap; of a batch, those of A and B may, those of C not.
TEST(HostPolicy, RefusesBatchesThatWriteTheSameValues) {
  HostPolicy policy;
  float* x = floats(policy, std::vector<float>(64, 1));
  const auto batch = [&](int64_t ldb, int64_t ldc, int64_t stride_c) {
    Gemm g{false, false, 2, 3, 4, x, 2, x, ldb, floats(policy, std::vector<float>(64)), ldc};
    g.batch = 3, g.stride_b = 1, g.stride_c = stride_c;
    policy.gemm(g);
  };
  EXPECT_NO_THROW(batch(4, 2, 6));
  EXPECT_NO_THROW(batch(4, 6, 2));  // column between column
  for (const int64_t stride : {0, 1, 5}) EXPECT_THROW(batch(4, 2, stride), Error) << stride;
  EXPECT_THROW(batch(4, 5, 2), Error);
  EXPECT_THROW(batch(3, 2, 6), Error);
}

// 1 + 2^-9 is 1 in bf16, 2049 is 2048 in fp16 and in TF32; sums are not rounded before they end.
template <class T>
std::vector<float> product(float a, float b, Type out, bool tf32 = false) {
  HostPolicy policy;
  const std::vector<T> av = {T(a), T(1.0F)}, bv = {T(b), T(1.0F)};
  const auto bytes = static_cast<int64_t>(2 * sizeof(T));
  void *ad = policy.allocate(bytes), *bd = policy.allocate(bytes), *cd = policy.allocate(size_of(out));
  policy.upload(ad, av.data(), bytes);
  policy.upload(bd, bv.data(), bytes);
  Gemm g{false, false, 1, 1, 2, ad, 1, bd, 2, cd, 1};
  g.in = kTypeOf<T>;
  g.out = out;
  g.tf32 = tf32;
  policy.gemm(g);
  if (out == Type::fp32) return fetched(policy, static_cast<const float*>(cd), 1);
  T c{};
  policy.download(&c, cd, sizeof c);
  return {static_cast<float>(c)};
}

TEST(HostPolicy, GemmRoundsOperandsAndResultsOnly) {
  EXPECT_EQ(product<Bf16>(256, 1, Type::fp32), std::vector<float>{257});
  EXPECT_EQ(product<Bf16>(256, 1, Type::bf16), std::vector<float>{256});  // 257 lies between 256 and 258
  EXPECT_EQ(product<Half>(2048, 1, Type::fp32), std::vector<float>{2049});
  EXPECT_EQ(product<Half>(2048, 1, Type::fp16), std::vector<float>{2048});
  EXPECT_EQ(product<Half>(2048, 32, Type::fp16), std::vector<float>{INFINITY});
  EXPECT_EQ(product<float>(2049, 1, Type::fp32), std::vector<float>{2050});
  EXPECT_EQ(product<float>(2049, 1, Type::fp32, true), std::vector<float>{2049});
  EXPECT_THROW(product<Half>(1, 1, Type::bf16), Error);
}

// The host's epilogues and those that a GPU falls back to, with leading dimensions larger than the matrices.
template <class T, class Out>
void check_epilogues(bool transpose_a) {
  HostPolicy policy;
  constexpr int64_t kM = 3, kN = 4, kK = 5, kLd = 6;
  std::vector<T> av(kLd * kLd), bv(kLd * kN);
  for (size_t i = 0; i < av.size(); ++i) av[i] = T(static_cast<float>(i % 7) - 3.0F);
  for (size_t i = 0; i < bv.size(); ++i) bv[i] = T(static_cast<float>(i % 5) - 2.0F);
  const std::vector<Out> bias = {Out(0.5F), Out(-4.0F), Out(2.0F)};
  const auto up = [&](const auto& values) {
    const auto bytes = static_cast<int64_t>(values.size() * sizeof(values[0]));
    void* data = policy.allocate(bytes);
    policy.upload(data, values.data(), bytes);
    return data;
  };
  // C, and behind it the sums.
  const auto run = [&](Epilogue epilogue, bool at_once) {
    float* sums = floats(policy, {-1, -1, -1});
    void* c = up(std::vector<Out>(kLd * kN, Out(99.0F)));
    Gemm g{transpose_a, false, kM, kN, kK, up(av), kLd, up(bv), kLd, c, kLd};
    g.in = kTypeOf<T>;
    g.out = kTypeOf<Out>;
    g.bias = up(bias);
    g.sums = sums;
    g.epilogue = at_once ? epilogue : Epilogue::none;
    policy.gemm(g);
    g.epilogue = epilogue;
    if (!at_once) apply_epilogue(policy, g);
    std::vector<Out> stored(kLd * kN);
    policy.download(stored.data(), c, static_cast<int64_t>(stored.size() * sizeof(Out)));
    std::vector<float> all(stored.begin(), stored.end());
    const std::vector<float> summed = fetched(policy, sums, kM);
    all.insert(all.end(), summed.begin(), summed.end());
    return all;
  };
  const std::vector<float> plain = run(Epilogue::none, true);
  std::vector<float> expected = plain;
  for (int64_t row = 0; row < kM; ++row) {
    float sum = 0;
    for (int64_t k = 0; k < kK; ++k) sum += av[static_cast<size_t>(transpose_a ? row * kLd + k : k * kLd + row)];
    expected[static_cast<size_t>(kLd * kN + row)] = sum;
  }
  for (const bool at_once : {true, false}) EXPECT_EQ(run(Epilogue::sums_of_a, at_once), expected);
  for (const Epilogue epilogue : {Epilogue::bias, Epilogue::relu_bias}) {
    expected = plain;
    for (size_t i = 0; i < kLd * kN; ++i) {
      if (i % kLd >= kM) continue;
      expected[i] += static_cast<float>(bias[i % kLd]);
      if (epilogue == Epilogue::relu_bias) expected[i] = std::max(expected[i], 0.0F);
    }
    for (const bool at_once : {true, false}) EXPECT_EQ(run(epilogue, at_once), expected);
  }
}

// Beta may multiply another matrix than C; and a batch is its products one by one.
TEST(HostPolicy, ABatchIsItsProductsOneByOneAndAddsItsSource) {
  HostPolicy policy;
  const float *a = floats(policy, {1, 2, 3, 4}), *b = floats(policy, {5, 6, 7}), *source = floats(policy, {1, 2, 3});
  for (const bool at_once : {true, false}) {
    float* c = floats(policy, {NAN, NAN, NAN});
    Gemm g{false, false, 1, 1, 2, a, 1, b, 2, c, 1, 1, 10};
    g.batch = 2, g.stride_a = 2, g.stride_b = 1, g.stride_c = 2, g.source = source;
    if (at_once) policy.gemm(g);
    for (int64_t which = 0; which < 2 && !at_once; ++which) policy.gemm(one_of(g, which));
    const std::vector<float> result = fetched(policy, c, 3);
    EXPECT_EQ(result[0], 5 + 12 + 10);
    EXPECT_EQ(result[2], 18 + 28 + 30);
    EXPECT_TRUE(std::isnan(result[1]));
  }
}

TEST(HostPolicy, BiasOfABatchIsTheSameForAll) {
  HostPolicy policy;
  float *a = floats(policy, {1, 2}), *b = floats(policy, {1, 10, 100}), *bias = floats(policy, {5, -50});
  for (const bool at_once : {true, false}) {
    float* c = floats(policy, std::vector<float>(6));
    Gemm g{false, false, 2, 1, 1, a, 2, b, 1, c, 6};
    g.batch = 3, g.stride_b = 1, g.stride_c = 2, g.bias = bias;
    if (at_once) g.epilogue = Epilogue::relu_bias;
    policy.gemm(g);
    g.epilogue = Epilogue::relu_bias;
    if (!at_once) apply_epilogue(policy, g);
    EXPECT_EQ(fetched(policy, c, 6), (std::vector<float>{6, 0, 15, 0, 105, 150}));
  }
}

TEST(HostPolicy, EpiloguesAddBiasReluAndSums) {
  for (const bool transposed : {false, true}) {
    check_epilogues<float, float>(transposed);
    check_epilogues<Bf16, float>(transposed);
    check_epilogues<Half, float>(transposed);
  }
}

TEST(HostPolicy, ReplaysWhatWasRecordedWithWhatMemoryHolds) {
  HostPolicy policy;
  float *x = floats(policy, {1, 2}), *sum = floats(policy, {0});
  const int record = policy.record([&] {
    policy.launch(1, Accumulate{x, sum});
    policy.zero(x, 4);
  });
  EXPECT_EQ(fetched(policy, sum, 1)[0], 0) << "a record does nothing yet";
  policy.replay(record);
  const std::vector<float> other = {5, 6};
  policy.upload(x, other.data(), 8);
  policy.replay(record);
  EXPECT_EQ(fetched(policy, sum, 1)[0], 3 + 11);
  EXPECT_EQ(fetched(policy, x, 2), (std::vector<float>{0, 6}));
}

TEST(HostPolicy, RecordsNothingThatWaitsOrAllocates) {
  HostPolicy policy;
  float host[2] = {}, *data = floats(policy, {1, 2});
  void* pinned = policy.allocate_pinned(8);
  const std::function<void()> calls[] = {
      [&] { policy.allocate(4); },   [&] { policy.upload(data, host, 8); },
      [&] { policy.finish(); },      [&] { policy.download(host, data, 8); },
      [&] { policy.join(); },        [&] { policy.upload_beside(data, pinned, 8); },
      [&] { policy.replay(0); },     [&] { policy.allocate_pinned(4); },
      [&] { policy.record([] {}); },
  };
  for (const auto& call : calls) EXPECT_THROW(policy.record(call), Error);
  EXPECT_EQ(policy.record([] {}), 0) << "a record that failed leaves nothing";
  policy.release_pinned(pinned);
}

TEST(HostPolicy, UploadsBesideComeWhenTheyAreJoined) {
  HostPolicy policy;
  float* data = floats(policy, {1, 2});
  auto* pinned = static_cast<float*>(policy.allocate_pinned(8));
  pinned[0] = 3, pinned[1] = 4;
  policy.upload_beside(data, pinned, 8);
  EXPECT_TRUE(std::isnan(fetched(policy, data, 1)[0]));
  policy.join();
  EXPECT_EQ(fetched(policy, data, 2), (std::vector<float>{3, 4}));
  policy.upload_beside(data, pinned, 8);
  pinned[1] = 5;
  EXPECT_THROW(policy.join(), Error) << "changed on its way";
  EXPECT_THROW(policy.upload_beside(data, pinned + 1, 8), Error);
  EXPECT_THROW(policy.upload_beside(data, &policy, 4), Error) << "not pinned";
  policy.release_pinned(pinned);
}

TEST(HostPolicy, GivesOutNoMoreThanItsBudget) {
  HostPolicy policy;
  policy.budget.limit(1000);
  void* most = policy.allocate(900);
  EXPECT_THROW(policy.allocate(101), Error);
  EXPECT_TRUE(policy.budget.refused());
  EXPECT_NO_THROW(policy.allocate(100));
  EXPECT_FALSE(policy.budget.refused());
  policy.release(most);
  EXPECT_EQ(policy.budget.left(), 900);
}

}  // namespace
}  // namespace lepton::cuda
