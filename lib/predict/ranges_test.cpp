#include "predict/ranges.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "net/parameters.h"
#include "predict/decision.h"

namespace lepton {
namespace {

TEST(MagnitudeCounts, CutsWhereTheSquaredErrorIsLeast) {
  MagnitudeCounts zeros;
  EXPECT_EQ(zeros.cut(127), 0);
  zeros.add(std::vector<float>{0, 0, INFINITY, NAN});
  EXPECT_EQ(zeros.cut(127), 0);

  MagnitudeCounts even;  // of values spread evenly nothing is to be cut
  std::vector<float> values;
  for (int i = 0; i < 10'000; ++i) values.push_back(static_cast<float>(i) / 10'000);
  even.add(values);
  EXPECT_GT(even.cut(127), 0.98F);
  EXPECT_FALSE(even.negative());

  MagnitudeCounts grown;  // the limit doubles in between
  grown.add(std::span(values).first(10));
  grown.add(std::span(values).subspan(10));
  EXPECT_NEAR(grown.cut(127), even.cut(127), 0.002);

  // One value far out costs less cut than coarser steps for 10,000: m^2 / 127^2 / 12 * 10,000 + (100 - m)^2 is least at
  // m = 100 / (1 + 10,000 / 12 / 127^2) = 95.1.
  values.push_back(-100);
  MagnitudeCounts outlier;
  outlier.add(values);
  EXPECT_TRUE(outlier.negative());
  EXPECT_NEAR(outlier.cut(127), 95.1, 0.1);
}

// Networks of every form that values take: bytes of both signs, sums, pools, conversions, and layers in floats.
struct Net {
  const char* name;
  const char* text;
  Shape input;
  double tolerance;  // of the root of the mean squared error, relative to that of the logits
};

class Int8Net : public testing::TestWithParam<Net> {
 protected:
  static constexpr int64_t kSamples = 37, kClasses = 10;

  void SetUp() override {
    graph_ = build_graph(GetParam().text, GetParam().input, kClasses);
    weights_ = initial_parameters(graph_, 1);
    const bool images = GetParam().input.rank() == 3;
    for (int64_t i = 0; i < kSamples * graph_.input.elements(); ++i) {
      const uint32_t bits = random4(7, Stream::sample, 0, static_cast<uint64_t>(i)).v[0];
      if (images) images_.push_back(static_cast<uint8_t>(bits >> 24));
      if (!images) rows_.push_back(static_cast<float>(bits >> 8) / (1U << 22) - 2);
    }
    ranges_ = [&] {
      RangeFinder finder(graph_);
      const auto exact = engine(Precision::fp32, kSamples, 2);
      finder.see(*exact, batch(0, kSamples));
      return finder.ranges();
    }();
  }

  Batch batch(int64_t first, int64_t n) const {
    const auto each = static_cast<size_t>(graph_.input.elements()), begin = static_cast<size_t>(first) * each;
    Batch b;
    b.n = n;
    if (!images_.empty()) b.images = std::span(images_).subspan(begin, static_cast<size_t>(n) * each);
    if (!rows_.empty()) b.rows = std::span(rows_).subspan(begin, static_cast<size_t>(n) * each);
    return b;
  }
  std::unique_ptr<Engine> engine(Precision precision, int64_t most, int threads) const {
    EngineOptions options;
    options.batch = most;
    options.threads = threads;
    options.precision = precision;
    if (!images_.empty()) options.mean.assign(static_cast<size_t>(graph_.input[2]), 120);
    if (!images_.empty()) options.std.assign(static_cast<size_t>(graph_.input[2]), 65);
    if (precision == Precision::int8) options.ranges = ranges_of_nodes(graph_, ranges_);
    std::unique_ptr<Engine> made = compile_cpu(graph_, options, nullptr);
    made->load(weights_);
    return made;
  }
  std::vector<float> answers(Engine& engine, int64_t together) const {
    std::vector<float> logits(static_cast<size_t>(kSamples * kClasses));
    for (int64_t i = 0; i < kSamples; i += together) {
      const int64_t n = std::min(together, kSamples - i);
      engine.infer(batch(i, n), graph_.output(), std::span(logits).subspan(static_cast<size_t>(i * kClasses)));
    }
    return logits;
  }

  Graph graph_;
  ParameterSet weights_;
  std::vector<uint8_t> images_;
  std::vector<float> rows_;
  NodeRanges ranges_;
};

TEST_P(Int8Net, AnswersAsFp32WithinTheStepsOfItsBytes) {
  const auto exact = engine(Precision::fp32, kSamples, 2), bytes = engine(Precision::int8, kSamples, 2);
  EXPECT_NE(bytes->describe().find("int8"), std::string::npos) << bytes->describe();
  const std::vector<float> expected = answers(*exact, kSamples), found = answers(*bytes, kSamples);
  double error = 0, size = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    error += std::pow(static_cast<double>(found[i] - expected[i]), 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  EXPECT_GT(size, 0);
  EXPECT_LT(std::sqrt(error / size), GetParam().tolerance);
  EXPECT_GT(error, 0) << "computed in fp32";
}

// Bit for bit, whether a sample comes alone, on all threads, or in a part that one thread computes.
TEST_P(Int8Net, AnswersDoNotDependOnBatchOrThreads) {
  const std::vector<float> expected = answers(*engine(Precision::int8, kSamples, 2), kSamples);
  EXPECT_EQ(answers(*engine(Precision::int8, 1, 2), 1), expected);
  EXPECT_EQ(answers(*engine(Precision::int8, 1, 1), 1), expected);
  EXPECT_EQ(answers(*engine(Precision::int8, 20, 3), 20), expected);
  EXPECT_EQ(answers(*engine(Precision::int8, kSamples, 1), 5), expected);
}

TEST_P(Int8Net, InnerValuesAndProfilesAreThere) {
  const auto exact = engine(Precision::fp32, 4, 2), bytes = engine(Precision::int8, 4, 2);
  for (NodeId id = 0; id <= graph_.output(); ++id) {
    const auto count = static_cast<size_t>(4 * graph_.nodes[static_cast<size_t>(id)].shape.elements());
    std::vector<float> expected(count), found(count);
    exact->infer(batch(0, 4), id, expected);
    bytes->infer(batch(0, 4), id, found);
    double error = 0, size = 0;
    for (size_t i = 0; i < count; ++i) {
      error += std::pow(static_cast<double>(found[i] - expected[i]), 2);
      size += std::pow(static_cast<double>(expected[i]), 2);
    }
    EXPECT_LE(std::sqrt(error), 2 * GetParam().tolerance * std::sqrt(size))
        << graph_.nodes[static_cast<size_t>(id)].name;
  }
  EXPECT_EQ(std::ssize(bytes->profile(batch(0, 4))), std::ssize(graph_.nodes));
}

INSTANTIATE_TEST_SUITE_P(
    Nets, Int8Net,
    testing::Values(
        Net{"cnn",
            "conv 32 3x3 bn relu; conv 32 3x3 bn relu; maxpool 2; conv 48 3x3 bn relu; globalpool avg; dense classes",
            {12, 12, 3},
            0.04},
        Net{"residual",
            "conv 24 3x3 bn relu; maxpool 2; residual { conv 24 3x3 bn relu; conv 24 3x3 bn }; relu; conv 40 3x3 "
            "stride=2 bn "
            "gelu; residual { conv 40 3x3 silu }; globalpool max; dense classes",
            {12, 12, 1},
            0.06},
        Net{"others",
            "conv 24 2x2 gelu; conv 20 3x3; maxpool 3 stride=2; dwconv 3x3 relu\nparallel {\nconv 8 1x1\n|\nconv 16 "
            "3x3\n}\n"
            "avgpool 2; flatten; dense 16 relu; dense classes",
            {11, 9, 3},
            0.06},
        Net{"frames", "conv 32 3 bn relu; conv 32 3 relu; globalpool avg; dense classes", {20, 24}, 0.04}),
    [](const auto& of) { return of.param.name; });

TEST(Int8, TrainingAndUnknownLayersAreRefused) {
  const Graph graph = build_graph("conv 16 3x3 relu; globalpool avg; dense classes", {8, 8, 3}, 2);
  EngineOptions options;
  options.precision = Precision::int8;
  options.training = true;
  EXPECT_THROW(compile_cpu(graph, options, nullptr), Error);
  EXPECT_THROW(ranges_of_nodes(graph, {{"conv7", 1.0F}}), Error);
}

TEST(Int8, RangesAreKeptInTheModel) {
  Model model;
  model.classes = {"a", "b", "c"};
  EXPECT_FALSE(read_calibration(model).int8);
  Calibration calibration;
  calibration.temperature = 1.5;
  calibration.int8 = NodeRanges{{"relu1", 2.5F}, {"input", 0.1F}};
  model.calibration = calibration_json(calibration);
  const Calibration read = read_calibration(model);
  EXPECT_EQ(read.int8, calibration.int8);
  EXPECT_EQ(read.temperature, 1.5);
  EXPECT_EQ(calibration_json(read), model.calibration);
  for (const char* bad : {R"({"int8":{"relu1":0}})", R"({"int8":{"relu1":-1}})", R"({"int8":{"relu1":1e99}})",
                          R"({"int8":{"relu1":"x"}})", R"({"int8":[1]})", R"({"int8":3})"}) {
    model.calibration = bad;
    EXPECT_THROW(read_calibration(model), Error) << bad;
  }
}

}  // namespace
}  // namespace lepton
