#include "data/splits.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.h"
#include "base/random.h"

namespace lepton {
namespace {

std::vector<SplitSample> samples_of(const std::vector<int>& class_sizes, uint64_t seed = 1) {
  std::vector<SplitSample> samples;
  for (size_t label = 0; label < class_sizes.size(); ++label) {
    for (int i = 0; i < class_sizes[label]; ++i) {
      const auto row = static_cast<uint32_t>(samples.size());
      const Random4 r = random4(seed, Stream::split, label, row);
      samples.push_back({(uint64_t{r.v[0]} << 32) | r.v[1], static_cast<int32_t>(label), row});
    }
  }
  return samples;
}

std::array<int64_t, 3> counts(const std::vector<SplitSample>& samples, const std::vector<Split>& splits,
                              int32_t label) {
  std::array<int64_t, 3> n{};
  for (size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].label == label) ++n[static_cast<size_t>(splits[i])];
  }
  return n;
}

TEST(Divide, CutsEachClassInProportion) {
  using Counts = std::array<int64_t, 3>;
  const std::vector<int> sizes = {1, 2, 3, 4, 10, 100, 1000};
  const std::vector<Counts> expected = {{1, 0, 0}, {1, 0, 1},    {1, 1, 1},      {2, 1, 1},
                                        {8, 1, 1}, {80, 10, 10}, {800, 100, 100}};
  const auto samples = samples_of(sizes);
  const auto splits = divide(samples, {});
  for (size_t label = 0; label < sizes.size(); ++label) {
    EXPECT_EQ(counts(samples, splits, static_cast<int32_t>(label)), expected[label]) << sizes[label];
  }
}

TEST(Divide, TwoShares) {
  const auto samples = samples_of({10, 1});
  const auto splits = divide(samples, parse_shares("70/30"));
  EXPECT_EQ(counts(samples, splits, 0), (std::array<int64_t, 3>{7, 0, 3}));
  EXPECT_EQ(counts(samples, splits, 1), (std::array<int64_t, 3>{1, 0, 0}));
  const auto all = divide(samples, parse_shares("100/0/0"));
  EXPECT_EQ(counts(samples, all, 0), (std::array<int64_t, 3>{10, 0, 0}));
}

TEST(Divide, OrderOfSamplesDoesNotMatter) {
  auto samples = samples_of({30, 20});
  const auto splits = divide(samples, {});
  std::map<uint32_t, Split> by_row;
  for (size_t i = 0; i < samples.size(); ++i) by_row[samples[i].row] = splits[i];
  std::reverse(samples.begin(), samples.end());
  const auto again = divide(samples, {});
  for (size_t i = 0; i < samples.size(); ++i) EXPECT_EQ(again[i], by_row[samples[i].row]);
}

TEST(Divide, EqualGroupsNeverPartEvenAcrossClasses) {
  auto samples = samples_of({40, 40});
  for (size_t i = 0; i < samples.size(); ++i) samples[i].group %= 23;
  const auto splits = divide(samples, {});
  std::map<uint64_t, std::set<Split>> where;
  for (size_t i = 0; i < samples.size(); ++i) where[samples[i].group].insert(splits[i]);
  for (const auto& [group, found] : where) EXPECT_EQ(found.size(), 1U) << group;
}

TEST(Divide, AddingSamplesMovesOnlyThoseNearACut) {
  auto samples = samples_of({1000});
  const auto before = divide(samples, {});
  samples.push_back({~uint64_t{0} / 2, 0, 1000});
  const auto after = divide(samples, {});
  int moved = 0;
  for (size_t i = 0; i < before.size(); ++i) moved += before[i] != after[i] ? 1 : 0;
  EXPECT_LE(moved, 2);
}

TEST(SaltedHash, DependsOnSeedAndContent) {
  const std::vector<uint8_t> a = {1, 2, 3}, b = {1, 2, 4};
  EXPECT_EQ(salted_hash(7, a), salted_hash(7, a));
  EXPECT_NE(salted_hash(7, a), salted_hash(8, a));
  EXPECT_NE(salted_hash(7, a), salted_hash(7, b));
}

TEST(ParseShares, RefusesWhatDoesNotAddUp) {
  for (const char* text : {"", "80", "80/10", "80/10/20", "-10/60/50", "a/b/c", "25/25/25/25", "80/10/10%"}) {
    EXPECT_THROW(parse_shares(text), Error) << text;
  }
  EXPECT_EQ(parse_shares("98.5/0.5/1").percent[1], 0.5);
}

TEST(Grouping, JoinsThroughOthers) {
  Grouping grouping({50, 40, 30, 20});
  grouping.join(0, 1);
  grouping.join(2, 1);
  EXPECT_EQ(grouping.group(0), 30U);
  EXPECT_EQ(grouping.group(1), 30U);
  EXPECT_EQ(grouping.group(3), 20U);
}

}  // namespace
}  // namespace lepton
