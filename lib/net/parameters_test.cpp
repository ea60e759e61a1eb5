#include "net/parameters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace lepton {
namespace {

struct Stats {
  double mean = 0, deviation = 0, largest = 0;
};

Stats stats(const std::vector<float>& values) {
  Stats s;
  const auto n = static_cast<double>(values.size());
  for (const float v : values) {
    s.mean += v / n;
    s.largest = std::max(s.largest, std::abs(static_cast<double>(v)));
  }
  for (const float v : values) s.deviation += (v - s.mean) * (v - s.mean) / (n - 1);
  s.deviation = std::sqrt(s.deviation);
  return s;
}

TEST(InitialParameters, HaveTheStatedDistributions) {
  const double fan = 3 * 3 * 64, bound = 1 / std::sqrt(fan);
  const struct {
    const char* init;
    double deviation, most;  // most: no value lies beyond
  } rows[] = {{"he", std::sqrt(2 / fan), 7 * std::sqrt(2 / fan)},
              {"torch", bound / std::sqrt(3.0), bound},
              {"unit", 1, std::sqrt(3.0) * 1.01}};
  for (const auto& row : rows) {
    const Graph graph = build_graph(
        std::string("conv 64 3x3 init=he\nconv 128 3x3 init=") + row.init + "\nglobalpool avg\ndense classes",
        {8, 8, 3}, 10);
    const ParameterSet set = initial_parameters(graph, 7);
    const Stats s = stats(set.at("conv2/kernel").values);
    EXPECT_NEAR(s.mean, 0, 4 * row.deviation / std::sqrt(fan * 128)) << row.init;
    EXPECT_NEAR(s.deviation / row.deviation, 1, 0.01) << row.init;
    EXPECT_LE(s.largest, row.most) << row.init;
    EXPECT_GE(s.largest, 1.7 * row.deviation) << row.init;
    const Stats bias = stats(set.at("conv2/bias").values);
    if (row.init == std::string("he")) {
      EXPECT_EQ(bias.largest, 0);
    } else {
      EXPECT_NEAR(bias.deviation, bound / std::sqrt(3.0), 0.2 * bound);
    }
  }
}

TEST(InitialParameters, DiracPassesTheFirstChannelsThrough) {
  for (const int filters : {3, 8}) {
    const Graph graph = build_graph(
        "conv " + std::to_string(filters) + " 3x3 init=dirac; globalpool avg; dense classes", {8, 8, 5}, 10);
    const NamedTensor kernel = initial_parameters(graph, 1).at("conv1/kernel");
    for (int64_t out = 0; out < filters; ++out) {
      double sum = 0;
      for (int64_t row = 0; row < 45; ++row) sum += std::abs(kernel.values[static_cast<size_t>(row * filters + out)]);
      if (out < 5) {
        EXPECT_EQ(sum, 1);
        EXPECT_EQ(kernel.values[static_cast<size_t>((4 * 5 + out) * filters + out)], 1);
      } else {
        EXPECT_GT(sum, 1.5);
      }
    }
  }
}

TEST(InitialParameters, DependOnSeedAndPositionAlone) {
  const Graph graph = build_graph("conv 8 3x3 bn relu; conv 8 3x3 bn; flatten; dense classes", {8, 8, 8}, 10);
  const ParameterSet one = initial_parameters(graph, 1), again = initial_parameters(graph, 1);
  const ParameterSet other = initial_parameters(graph, 2);
  EXPECT_EQ(one.at("conv1/kernel").values, again.at("conv1/kernel").values);
  EXPECT_NE(one.at("conv1/kernel").values, other.at("conv1/kernel").values);
  EXPECT_NE(one.at("conv1/kernel").values, one.at("conv2/kernel").values);
  EXPECT_EQ(one.at("bn1/gamma").values, std::vector<float>(8, 1.0F));
  EXPECT_EQ(one.at("bn1/variance").values, std::vector<float>(8, 1.0F));
  EXPECT_EQ(one.at("bn1/mean").values, std::vector<float>(8, 0.0F));
}

TEST(CheckParameters, NamesWhatDoesNotFit) {
  const Graph graph = build_graph("dense classes", {4}, 10);
  ParameterSet set = initial_parameters(graph, 1);
  EXPECT_NO_THROW(check_parameters(set, graph));
  set.tensors[1].shape = {9};
  try {
    check_parameters(set, graph);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::mismatch);
    EXPECT_STREQ(error.what(), "weights dense1/bias are 9, the network needs 10");
  }
  set.tensors.pop_back();
  EXPECT_THROW(check_parameters(set, graph), Error);
}

// n images whose channels and neighbours are correlated.
std::vector<float> correlated_images(int64_t n, const Shape& shape) {
  std::vector<float> images(static_cast<size_t>(n * shape.elements()));
  for (size_t i = 0; i < images.size(); ++i) {
    images[i] = 2 * uniform(random4(3, Stream::sample, 0, i).v[0]) - 1 + 0.1F;
    if (i >= 3) images[i] += 0.5F * images[i - 3] + 0.3F * images[i - 1];
  }
  return images;
}

TEST(SetWhitening, WhitensPatches) {
  const Shape shape{12, 12, 3};
  const int64_t n = 200;
  const Graph graph = build_graph("whiten 2x2; globalpool avg; dense classes", shape, 10);
  ParameterSet set = initial_parameters(graph, 1);
  EXPECT_EQ(stats(set.at("whiten1/kernel").values).largest, 0);
  const std::vector<float> images = correlated_images(n, shape);
  set_whitening(set, graph, images, n);
  const std::vector<float>& kernel = set.at("whiten1/kernel").values;
  // Covariance of the 24 outputs over all patches: 12 whitened values, then their negatives.
  std::vector<double> sum(24, 0.0), products(24 * 24, 0.0);
  double count = 0;
  for (int64_t image = 0; image < n; ++image) {
    for (int64_t y = 0; y < 11; ++y) {
      for (int64_t x = 0; x < 11; ++x) {
        std::vector<double> out(24, 0.0);
        for (int64_t k = 0; k < 12; ++k) {
          const int64_t pixel = ((image * 12 + y + k / 6) * 12 + x + k / 3 % 2) * 3 + k % 3;
          for (size_t o = 0; o < 24; ++o) {
            out[o] += static_cast<double>(images[static_cast<size_t>(pixel)]) * kernel[static_cast<size_t>(k) * 24 + o];
          }
        }
        for (size_t i = 0; i < 24; ++i) {
          sum[i] += out[i];
          for (size_t j = 0; j < 24; ++j) products[i * 24 + j] += out[i] * out[j];
        }
        ++count;
      }
    }
  }
  for (size_t i = 0; i < 24; ++i) {
    for (size_t j = 0; j < 24; ++j) {
      const double covariance = products[i * 24 + j] / count - sum[i] * sum[j] / count / count;
      const double expected = i == j ? 1 : (i % 12 == j % 12 ? -1 : 0);
      EXPECT_NEAR(covariance, expected, 0.01) << i << " " << j;
    }
  }
}

TEST(SetWhitening, BearsImagesWithoutVariance) {
  const Shape shape{4, 4, 1};
  const Graph graph = build_graph("whiten 3x3; globalpool avg; dense classes", shape, 2);
  ParameterSet set = initial_parameters(graph, 1);
  set_whitening(set, graph, std::vector<float>(32, 0.7F), 2);
  for (const float value : set.at("whiten1/kernel").values) EXPECT_TRUE(std::isfinite(value));
}

TEST(InitialParameters, DiracOfADepthwiseKernelPassesEveryChannel) {
  const Graph graph = build_graph("dwconv 3x3 init=dirac; dense classes", {8, 8, 4}, 3);
  const std::vector<float> kernel = initial_parameters(graph, 1).at("dwconv1/kernel").values;
  for (size_t i = 0; i < kernel.size(); ++i) EXPECT_EQ(kernel[i], i / 4 == 4 ? 1.0F : 0.0F);
}

TEST(InitialParameters, OfTablesHaveNoValuesForPadding) {
  for (const char* init : {"normal", "uniform"}) {
    const Graph graph =
        build_graph("embed 20 init=" + std::string(init) + "; globalpool avg; dense classes", {6}, 3, 500);
    const std::vector<float> table = initial_parameters(graph, 3).at("embed1/table").values;
    double square = 0;
    for (size_t i = 0; i < table.size(); ++i) {
      if (i < 20) {
        ASSERT_EQ(table[i], 0);
      }
      square += static_cast<double>(table[i]) * static_cast<double>(table[i]);
    }
    const double expected = init[0] == 'n' ? 0.1 : 1 / (20 * std::sqrt(3));
    EXPECT_NEAR(std::sqrt(square / (499 * 20)), expected, 0.02 * expected) << init;
  }
}

}  // namespace
}  // namespace lepton
