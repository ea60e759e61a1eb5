#include "data/prep_sums.h"

#include <gtest/gtest.h>

#include <cmath>

#include <vector>

namespace lepton {
namespace {

TEST(ChannelSums, AgreeWithAPlainLoopForAnyLength) {
  for (const int64_t channels : {1, 3}) {
    for (const int64_t pixels : {1, 15, 16, 17, 48, 1000}) {
      std::vector<uint8_t> x(static_cast<size_t>(pixels * channels));
      ChannelSums expected;
      for (size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<uint8_t>(i * 37 + 11);
        expected.sum[i % static_cast<size_t>(channels)] += x[i];
        expected.squares[i % static_cast<size_t>(channels)] += uint64_t{x[i]} * x[i];
      }
      const ChannelSums sums = sum_channels(x, channels);
      EXPECT_EQ(sums.sum, expected.sum) << pixels;
      EXPECT_EQ(sums.squares, expected.squares) << pixels;
      EXPECT_EQ(sums.pixels, pixels);
    }
  }
}

TEST(ChannelSums, LargeWhiteImageDoesNotOverflow) {
  const std::vector<uint8_t> white(size_t{48} * 70000, 255);
  EXPECT_EQ(sum_channels(white, 1).squares[0], uint64_t{48} * 70000 * 65025);
}

TEST(Statistics, MeanAndDeviationOfThePopulation) {
  ChannelSums sums = sum_channels(std::vector<uint8_t>{0, 10, 7}, 3);
  sums.add(sum_channels(std::vector<uint8_t>{4, 20, 7}, 3));
  DatasetMeta meta;
  set_statistics(meta, sums, 3);
  EXPECT_EQ(meta.mean, (std::vector<float>{2, 15, 7}));
  EXPECT_EQ(meta.std, (std::vector<float>{2, 5, 1}));
}

TEST(Statistics, NothingToMeasure) {
  DatasetMeta meta;
  set_statistics(meta, ChannelSums{}, 1);
  EXPECT_EQ(meta.mean, (std::vector<float>{0}));
  EXPECT_EQ(meta.std, (std::vector<float>{1}));
}

TEST(ColumnStatistics, MeanAndDeviationOfEachColumn) {
  const std::vector<float> first = {1, 10, 7, 3, 20, 7}, second = {5, 30, 7};
  ColumnSums sums;
  sums.add(first, 3);
  sums.add(second, 3);
  EXPECT_EQ(sums.rows, 3);
  std::vector<float> mean, std;
  sums.statistics(3, mean, std);
  EXPECT_EQ(mean, (std::vector<float>{3, 20, 7}));
  EXPECT_FLOAT_EQ(std[0], std::sqrt(8.0F / 3));
  EXPECT_FLOAT_EQ(std[1], std::sqrt(200.0F / 3));
  EXPECT_EQ(std[2], 1);  // never varies
  std::vector<float> no_mean, no_std;
  ColumnSums{}.statistics(2, no_mean, no_std);
  EXPECT_EQ(no_mean, (std::vector<float>{0, 0}));
  EXPECT_EQ(no_std, (std::vector<float>{1, 1}));
}

}  // namespace
}  // namespace lepton
