// Training in bf16: every row of layer_cases.h within its rounding of the reference, and what holds bit for bit.
#include "engine/cpu/plan.h"
#include "engine/precision_row.h"
#include "net/parameters.h"

namespace lepton {
namespace {

class Bf16Test : public testing::TestWithParam<LayerCase> {
 protected:
  void SetUp() override {
    if (!cpu::has_bf16()) GTEST_SKIP() << "this processor has no instructions for bf16";
  }
};
using Bf16LayerTest = Bf16Test;
class Bf16Engine : public Bf16Test {};

TEST_P(Bf16LayerTest, IsWithinRounding) { expect_within_rounding(GetParam(), "cpu", Precision::bf16); }

// What padding has for a gradient is 0, or it would grow into numbers that somebody reads.
TEST_P(Bf16LayerTest, PaddingHasNoGradient) {
  Row row(GetParam());
  row.options.precision = Precision::bf16;
  cpu::Parameters parameters(row.graph);
  cpu::TrainingPlan plan(row.graph, row.options, parameters);
  for (const cpu::Slot& slot : parameters.slots) {
    parameters.set_plain(slot, parameters.values, row.parameters.at(slot.ref.name));
  }
  const Batch batch = row.samples.batch();
  plan.run({&batch, batch.n, 0}, 0, 1);
  for (const cpu::Slot& slot : parameters.slots) {
    if (cpu::Parameters::is_table(slot) || !slot.parameter.trainable) continue;
    const float* gradient = parameters.gradient(slot);
    const std::vector<float> inner(gradient, gradient + slot.packing.size);
    parameters.set_plain(slot, parameters.gradients, parameters.plain(slot, parameters.gradients, ""));
    EXPECT_EQ(std::vector<float>(gradient, gradient + slot.packing.size), inner) << slot.ref.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, Bf16LayerTest, testing::ValuesIn(kLayerCases),
                         [](const auto& row) { return std::string(row.param.name); });

const LayerCase kMixed = {"mixed",
                          "conv 20 3x3 bn relu; maxpool 2; residual {; conv 20 3x3 bn gelu; }; dwconv 3x3; parallel {; "
                          "conv 5 1x1; |; conv 7 3x3 relu; }; dropout 0.25; globalpool max; dense 9 bn silu; dense "
                          "classes",
                          {12, 10, 3},
                          12,
                          12};

struct Training {
  explicit Training(Precision precision, OptimizerKind kind = OptimizerKind::sgd, int threads = 2) : row(kMixed) {
    row.options.precision = precision;
    row.options.threads = threads;
    row.options.optimizer.kind = kind;
    row.options.optimizer.momentum = 0.9F;
    engine = compile_cpu(row.graph, row.options, nullptr);
    engine->load(initial_parameters(row.graph, 5));
  }
  StepResult step(int64_t number, int64_t n = 12) const {
    Batch batch = row.samples.batch();
    batch.n = n;
    batch.images = batch.images.first(static_cast<size_t>(n * row.graph.input.elements()));
    batch.labels = batch.labels.first(static_cast<size_t>(n));
    return TestSteps(row.graph, 0.02F, 1e-3F)(*engine, batch, number);
  }

  Row row;
  std::unique_ptr<Engine> engine;
};

TEST_F(Bf16Engine, SameStepsGiveTheSameBitsAndSavedStateContinuesThem) {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw, OptimizerKind::muon}) {
    const Training whole(Precision::bf16, kind), again(Precision::bf16, kind), half(Precision::bf16, kind),
        resumed(Precision::bf16, kind);
    for (int64_t i = 0; i < 4; ++i) {
      whole.step(i);
      again.step(i);
    }
    for (int64_t i = 0; i < 2; ++i) half.step(i);
    resumed.engine->load(half.engine->save());
    for (int64_t i = 2; i < 4; ++i) resumed.step(i);
    EXPECT_TRUE(same(whole.engine->save(), again.engine->save()));
    EXPECT_TRUE(same(whole.engine->save(), resumed.engine->save()));
  }
}

TEST_F(Bf16Engine, TenStepsLearnAsThoseInFp32Do) {
  const Training bf16(Precision::bf16), fp32(Precision::fp32);
  double first = 0, last = 0;
  for (int64_t i = 0; i < 10; ++i) {
    last = fp32.step(i).loss;
    if (i == 0) first = last;
    EXPECT_NEAR(bf16.step(i).loss, last, 0.05 * first) << i;
  }
  EXPECT_LT(last, 0.7 * first);
  EXPECT_FALSE(same(bf16.engine->save(), fp32.engine->save()));
  EXPECT_NE(bf16.engine->describe().find("bf16"), std::string::npos);
  EXPECT_LT(bf16.engine->memory_bytes(), fp32.engine->memory_bytes());
}

// Samples beyond n, and what a batch before left of them, count for nothing.
TEST_F(Bf16Engine, AShortBatchLeavesNothingOfTheOneBefore) {
  const Training used(Precision::bf16), fresh(Precision::bf16);
  used.step(0);
  used.engine->load(initial_parameters(used.row.graph, 5));
  EXPECT_EQ(used.step(0, 7).loss, fresh.step(0, 7).loss);
  const ParameterSet a = used.engine->save(), b = fresh.engine->save();
  for (const NamedTensor& tensor : b.tensors) {
    if (tensor.name.ends_with(".momentum")) continue;
    EXPECT_EQ(a.at(tensor.name).values, tensor.values) << tensor.name;
  }
}

TEST_F(Bf16Engine, AStepThatOverflowsChangesNothing) {
  const Training training(Precision::bf16);
  training.step(0);
  ParameterSet broken = training.engine->save();
  for (const float value : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    broken.find("conv1/kernel")->values[0] = value;
    training.engine->load(broken);
    EXPECT_FALSE(training.step(1).finite);
  }
}

// The steps and what they write: 16 or 32 bits.
std::string storage(const char* net, const Shape& input, int64_t tokens = 0) {
  const Graph graph = build_graph(net, input, 5, tokens);
  const auto pays = [&](const cpu::Step& step) {
    const Shape& shape = graph.nodes[static_cast<size_t>(step.node)].shape;
    return shape[shape.rank() - 1] >= 5;
  };
  const cpu::Lowered lowered = cpu::stored_as_bf16(cpu::lower(graph, graph.output(), true), pays);
  std::string text;
  for (const cpu::Step& step : lowered.steps) {
    const auto& out = lowered.values[static_cast<size_t>(step.out)];
    const std::string name =
        step.kind == cpu::StepKind::cast ? "cast" : graph.nodes[static_cast<size_t>(step.node)].name;
    text += fmt::format("{}:{} ", name, out.element == cpu::Element::bf16 ? 16 : 32);
  }
  return text;
}

TEST(Bf16, MapsAreStoredSoAndRowsAreNot) {
  EXPECT_EQ(storage("conv 8 3x3 relu; maxpool 2; dense 7 bn; dense classes", {8, 8, 3}),
            "input:16 conv1:16 maxpool1:16 cast:32 dense1:32 bn1:32 dense2:32 ");
  EXPECT_EQ(storage("dense 7 relu; dense classes", {9}), "input:32 dense1:32 relu1:32 dense2:32 ");
  EXPECT_EQ(storage("conv 5 1x1; globalpool avg", {8, 8, 3}), "input:16 conv1:16 globalavg1:16 cast:32 ");
  EXPECT_EQ(storage("conv 3 1x1; conv 5 1x1; conv 3 1x1; dense classes", {8, 8, 3}),
            "input:32 conv1:32 cast:16 conv2:16 cast:32 conv3:32 dense1:32 ");
  EXPECT_EQ(storage("bn; conv 5 3x3; dense classes", {8, 8, 3}), "input:32 bn1:32 cast:16 conv1:16 cast:32 dense1:32 ");
  EXPECT_EQ(storage("embed 8; conv 5 3; globalpool max; dense classes", {9}, 11),
            "input:32 embed1:32 cast:16 conv1:16 globalmax1:16 cast:32 dense1:32 ");
}

TEST(Bf16, OtherPrecisionsAreRefused) {
  for (const Precision precision : {Precision::tf32, Precision::fp16}) {
    EXPECT_EQ(status_of([&] { Training{precision}; }), Exit::device);
  }
}

}  // namespace
}  // namespace lepton
