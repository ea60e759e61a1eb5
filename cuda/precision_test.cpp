// 16 bits and TF32: every row of layer_cases.h within their rounding of the reference engine, whole runs beside fp32,
// and the loss scale.
#include <map>

#include "cuda/loss_scale.h"
#include "engine/precision_row.h"
#include "net/parameters.h"

namespace lepton {
namespace {

using PrecisionCase = std::pair<Precision, LayerCase>;
class PrecisionTest : public testing::TestWithParam<PrecisionCase> {};

TEST_P(PrecisionTest, EveryLayerIsWithinRounding) {
  const auto& [precision, layers] = GetParam();
  expect_within_rounding(layers, "cuda_host", precision);
}

std::vector<PrecisionCase> precision_cases() {
  std::vector<PrecisionCase> all;
  for (const Precision precision : {Precision::tf32, Precision::bf16, Precision::fp16}) {
    for (const LayerCase& row : kLayerCases) all.emplace_back(precision, row);
  }
  return all;
}

const char* name_of(Precision precision) { return kPrecisionNames[static_cast<size_t>(precision)]; }

INSTANTIATE_TEST_SUITE_P(Rows, PrecisionTest, testing::ValuesIn(precision_cases()), [](const auto& row) {
  return std::string(name_of(row.param.first)) + "_" + row.param.second.name;
});

// Images whose class is the place of a bright square.
MadeUpBatch squares(int64_t n, uint64_t seed) {
  MadeUpBatch batch;
  batch.n = n;
  for (int64_t i = 0; i < n; ++i) {
    const auto label = static_cast<int32_t>(below(random4(seed, Stream::sample, 1, static_cast<uint64_t>(i)).v[0], 4));
    batch.labels.push_back(label);
    for (int64_t p = 0; p < 64; ++p) {
      const uint32_t noise = random4(seed, Stream::sample, 2, static_cast<uint64_t>(64 * i + p)).v[0] >> 25;
      const int64_t y = p / 8, x = p % 8;
      const bool bright = y / 4 == label / 2 && x / 4 == label % 2;
      batch.images.push_back(static_cast<uint8_t>(50 + noise + (bright ? 60 : 0)));
    }
  }
  return batch;
}

class PrecisionRun {
 public:
  explicit PrecisionRun(Precision precision, OptimizerKind optimizer, float loss_scale = 0) {
    options_.batch = 32;
    options_.training = true;
    options_.precision = precision;
    options_.loss_scale = loss_scale;
    options_.optimizer.kind = optimizer;
    options_.mean = {128};
    options_.std = {40};
    engine = compile_tested(graph, "cuda_host", options_);
    engine->load(initial_parameters(graph, 1));
  }

  StepResult step(int64_t number, float rate, bool sum_loss = false) {
    TestSteps steps(graph, rate, 0);
    steps.sum_loss = sum_loss;
    return steps(*engine, squares(32, static_cast<uint64_t>(number)).view(), number);
  }

  // Share of 64 new images classified rightly.
  double accuracy() {
    double right = 0;
    for (const uint64_t seed : {1001, 1002}) {
      const MadeUpBatch images = squares(32, seed);
      std::vector<float> logits(32 * 4);
      engine->infer(images.view(), graph.output(), logits);
      for (size_t i = 0; i < 32; ++i) {
        const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(4 * i);
        right += std::max_element(begin, begin + 4) - begin == images.labels[i] ? 1 : 0;
      }
    }
    return right / 64;
  }

  const Graph graph = build_graph(
      "conv 8 3x3 bn relu; maxpool 2; residual {; conv 8 3x3 bn "
      "gelu; }; globalpool max; dense classes",
      {8, 8, 1}, 4);
  std::unique_ptr<Engine> engine;

 private:
  EngineOptions options_;
};

TEST(PrecisionRuns, LearnAsFp32Does) {
  for (const OptimizerKind optimizer : {OptimizerKind::sgd, OptimizerKind::adamw, OptimizerKind::muon}) {
    std::map<Precision, double> accuracy, loss;
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
      PrecisionRun run(precision, optimizer);
      for (int64_t number = 0; number < 40; ++number) {
        const double now = run.step(number, 0.02F).loss;
        if (number >= 30) loss[precision] += now / 10;
      }
      accuracy[precision] = run.accuracy();
      EXPECT_NEAR(accuracy[precision], accuracy[Precision::fp32], 0.05) << name_of(precision);
      EXPECT_NEAR(loss[precision], loss[Precision::fp32], 0.05) << name_of(precision);
    }
    EXPECT_GT(accuracy[Precision::fp32], 0.9) << static_cast<int>(optimizer);
    EXPECT_LT(loss[Precision::fp32], 0.5);
  }
}

TEST(LossScale, AStepThatOverflowsIsDoneAgainWithLess) {
  PrecisionRun fp16(Precision::fp16, OptimizerKind::sgd), fp32(Precision::fp32, OptimizerKind::sgd);
  for (int64_t number = 0; number < 2; ++number) {
    const StepResult result = fp16.step(number, 1e-4F, true), expected = fp32.step(number, 1e-4F, true);
    EXPECT_TRUE(result.finite);
    EXPECT_NEAR(result.loss, expected.loss, 0.01 * expected.loss);
  }
  const ParameterSet saved = fp16.engine->save(), right = fp32.engine->save();
  EXPECT_LT(saved.at("optimizer.loss_scale").values[0], cuda::LossScale::kFirst);
  EXPECT_EQ(saved.at("optimizer.steps").values[0], 2);
  for (const NamedTensor& tensor : right.tensors) {
    if (tensor.name.ends_with("/kernel.momentum")) {
      EXPECT_LE(apart(saved.at(tensor.name).values, tensor.values), 0.25) << tensor.name;
    }
  }
}

TEST(LossScale, AFixedOneThatOverflowsFailsTheStep) {
  PrecisionRun run(Precision::fp16, OptimizerKind::sgd, 65536);
  const ParameterSet before = run.engine->save();
  EXPECT_FALSE(run.step(0, 1e-4F, true).finite);
  EXPECT_EQ(before.find("optimizer.loss_scale"), nullptr);
  const ParameterSet after = run.engine->save();
  for (size_t i = 0; i < after.tensors.size(); ++i) EXPECT_EQ(after.tensors[i].values, before.tensors[i].values);
  EXPECT_TRUE(PrecisionRun(Precision::fp16, OptimizerKind::sgd, 8).step(0, 1e-4F, true).finite);
  EXPECT_THROW(PrecisionRun(Precision::fp16, OptimizerKind::sgd, 3), Error);
  EXPECT_THROW(PrecisionRun(Precision::fp16, OptimizerKind::sgd, -2), Error);
}

TEST(LossScale, RisesAfterStepsWithoutOverflowAndIsSaved) {
  EngineOptions options;
  options.precision = Precision::fp16;
  cuda::LossScale scale(options);
  ASSERT_TRUE(scale.lower());
  for (int64_t i = 0; i + 1 < cuda::LossScale::kPatience; ++i) scale.keep();
  EXPECT_EQ(scale.value(), cuda::LossScale::kFirst / 2);
  ParameterSet saved;
  scale.save(saved);
  cuda::LossScale other(options);
  other.load(saved);
  for (cuda::LossScale* each : {&scale, &other}) {
    each->keep();
    EXPECT_EQ(each->value(), cuda::LossScale::kFirst);
  }
  while (scale.lower()) {
  }
  EXPECT_EQ(scale.value(), 1);
  options.precision = Precision::bf16;
  EXPECT_EQ(cuda::LossScale(options).value(), 1);
  EXPECT_FALSE(cuda::LossScale(options).lower());
}

// A run taken up again ends with the same bits, the loss scale among them.
TEST(PrecisionRuns, ResumeBitForBit) {
  for (const Precision precision : {Precision::bf16, Precision::fp16}) {
    PrecisionRun whole(precision, OptimizerKind::adamw), half(precision, OptimizerKind::adamw);
    PrecisionRun resumed(precision, OptimizerKind::adamw);
    for (int64_t number = 0; number < 4; ++number) whole.step(number, 0.01F, true);
    for (int64_t number = 0; number < 2; ++number) half.step(number, 0.01F, true);
    resumed.engine->load(half.engine->save());
    for (int64_t number = 2; number < 4; ++number) resumed.step(number, 0.01F, true);
    const ParameterSet a = whole.engine->save(), b = resumed.engine->save();
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (size_t i = 0; i < a.tensors.size(); ++i) EXPECT_EQ(a.tensors[i].values, b.tensors[i].values);
  }
}

}  // namespace
}  // namespace lepton
