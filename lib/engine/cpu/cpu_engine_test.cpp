#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "engine/cpu/threads.h"
#include "engine/engine.h"
#include "net/parameters.h"

namespace lepton {
namespace {

constexpr const char* kNet =
    "conv 20 3x3 bn relu; maxpool 2; residual {; conv 20 3x3 bn gelu; }; conv 12 3x3 relu; avgpool 2; dropout 0.25; "
    "dense 9 bn silu; dense classes; scale 1/2";

struct Samples {
  Samples(int64_t n, const Shape& shape) : images(static_cast<size_t>(n * shape.elements())) {
    for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<uint8_t>(random4(3, Stream::sample, 0, i).v[0]);
    for (int64_t i = 0; i < n; ++i) labels.push_back(static_cast<int32_t>(i % 5));
    batch.n = n;
    batch.images = images;
    batch.labels = labels;
  }
  Batch first(int64_t n, const Shape& shape) const {
    Batch part = batch;
    part.n = n;
    part.images = batch.images.first(static_cast<size_t>(n * shape.elements()));
    part.labels = batch.labels.first(static_cast<size_t>(n));
    return part;
  }
  std::vector<uint8_t> images;
  std::vector<int32_t> labels;
  Batch batch;
};

class CpuEngine : public testing::Test {
 protected:
  std::unique_ptr<Engine> engine(bool training, OptimizerKind kind = OptimizerKind::sgd, int64_t batch = 12) const {
    EngineOptions options;
    options.batch = batch;
    options.training = training;
    options.mean = {120, 110, 100};
    options.std = {60, 55, 50};
    options.optimizer.kind = kind;
    options.optimizer.ema = 0.9F;
    options.optimizer.clip = 1;
    auto made = compile_cpu(graph, options, nullptr);
    made->load(initial_parameters(graph, 5));
    return made;
  }

  StepResult step(Engine& made, const Batch& batch, int64_t number) const {
    StepSettings settings;
    settings.step = number;
    settings.rates = rates;
    settings.decays = decays;
    settings.label_smoothing = 0.1F;
    return made.train_step(batch, settings);
  }

  std::vector<float> logits(Engine& made, const Batch& batch) const {
    std::vector<float> values(static_cast<size_t>(batch.n * graph.classes));
    made.infer(batch, graph.output(), values);
    return values;
  }

  const Shape shape{12, 10, 3};
  const Graph graph = build_graph(kNet, shape, 5);
  const Samples samples{12, shape};
  const std::vector<float> rates = std::vector<float>(parameters_of(graph).size(), 0.02F);
  const std::vector<float> decays = std::vector<float>(parameters_of(graph).size(), 1e-3F);
};

bool same(const ParameterSet& a, const ParameterSet& b) {
  return std::equal(
      a.tensors.begin(), a.tensors.end(), b.tensors.begin(), b.tensors.end(),
      [](const NamedTensor& x, const NamedTensor& y) { return x.name == y.name && x.values == y.values; });
}

TEST_F(CpuEngine, SameStepsGiveTheSameBitsAndSavedStateContinuesThem) {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw, OptimizerKind::muon}) {
    const auto whole = engine(true, kind), again = engine(true, kind), resumed = engine(true, kind);
    for (int64_t i = 0; i < 4; ++i) {
      step(*whole, samples.batch, i);
      step(*again, samples.batch, i);
    }
    EXPECT_TRUE(same(whole->save(), again->save()));
    step(*resumed, samples.batch, 0);
    step(*resumed, samples.batch, 1);
    const auto fresh = engine(true, kind);
    fresh->load(resumed->save());
    step(*fresh, samples.batch, 2);
    step(*fresh, samples.batch, 3);
    EXPECT_TRUE(same(whole->save(), fresh->save()));
  }
}

TEST_F(CpuEngine, LearnsAHandfulOfSamples) {
  const auto made = engine(true, OptimizerKind::adamw);
  const double before = step(*made, samples.batch, 0).loss;
  StepResult last;
  for (int64_t i = 1; i < 60; ++i) last = step(*made, samples.batch, i);
  EXPECT_LT(last.loss, before / 2);
  EXPECT_GT(last.gradient_norm, 0);
}

TEST_F(CpuEngine, AnAnswerDoesNotDependOnItsNeighboursOrTheirNumber) {
  const auto made = engine(false);
  const std::vector<float> all = logits(*made, samples.batch), few = logits(*made, samples.first(3, shape));
  EXPECT_TRUE(std::equal(few.begin(), few.end(), all.begin()));
}

TEST_F(CpuEngine, AShortTrainingBatchIsABatchOfThatSize) {
  const auto wide = engine(true), narrow = engine(true, OptimizerKind::sgd, 7);
  step(*wide, samples.batch, 0);  // leaves numbers behind in every buffer
  wide->load(initial_parameters(graph, 5));
  const StepResult a = step(*wide, samples.first(7, shape), 0), b = step(*narrow, samples.first(7, shape), 0);
  EXPECT_NEAR(a.loss, b.loss, 1e-6);
  const ParameterSet x = wide->save(), y = narrow->save();
  for (size_t t = 0; t < x.tensors.size(); ++t) {
    for (size_t i = 0; i < x.tensors[t].values.size(); ++i) {
      ASSERT_NEAR(x.tensors[t].values[i], y.tensors[t].values[i], 1e-4F) << x.tensors[t].name;
    }
  }
}

TEST_F(CpuEngine, EveryNodeAnswersAndActivationsFollowTheirInputs) {
  const auto made = engine(false);
  for (size_t id = 1; id < graph.nodes.size(); ++id) {
    const Node& node = graph.nodes[id];
    std::vector<float> out(static_cast<size_t>(12 * node.shape.elements()));
    made->infer(samples.batch, static_cast<NodeId>(id), out);
    if (node.kind != LayerKind::relu && node.kind != LayerKind::flatten && node.kind != LayerKind::scale) continue;
    std::vector<float> in(out.size());
    made->infer(samples.batch, node.inputs[0], in);
    for (size_t i = 0; i < in.size(); ++i) {
      const float expected = node.kind == LayerKind::relu    ? std::max(in[i], 0.0F)
                             : node.kind == LayerKind::scale ? in[i] * node.attributes.factor
                                                             : in[i];
      ASSERT_NEAR(out[i], expected, 1e-5F) << node.name;
    }
  }
}

TEST_F(CpuEngine, AStepThatOverflowsChangesNothing) {
  const auto made = engine(true);
  step(*made, samples.batch, 0);
  ParameterSet broken = made->save();
  broken.find("dense2/kernel")->values[0] = std::numeric_limits<float>::infinity();
  made->load(broken);
  EXPECT_FALSE(step(*made, samples.batch, 1).finite);
  EXPECT_TRUE(same(made->save(), broken));
}

TEST_F(CpuEngine, UnlabelledSamplesDoNotCount) {
  const auto made = engine(true);
  Samples none(12, shape);
  std::fill(none.labels.begin(), none.labels.end(), -1);
  const StepResult result = step(*made, none.batch, 0);
  EXPECT_EQ(result.loss, 0);
  EXPECT_EQ(result.correct, 0);
}

TEST_F(CpuEngine, FrozenParametersStay) {
  const Graph frozen = build_graph("whiten 2x2; gelu; conv 8 3x3 freeze; relu; dense classes", shape, 5);
  EngineOptions options;
  options.batch = 12;
  options.training = true;
  const auto made = compile_cpu(frozen, options, nullptr);
  ParameterSet before = initial_parameters(frozen, 5);
  for (float& v : before.find("whiten1/kernel")->values) v = 0.01F;
  made->load(before);
  StepSettings settings;
  const std::vector<float> rate(parameters_of(frozen).size(), 1e-3F);
  settings.rates = rate;
  settings.decays = rate;
  made->train_step(samples.batch, settings);
  const ParameterSet after = made->save();
  for (const char* name : {"whiten1/kernel", "conv1/kernel", "conv1/bias"}) {
    EXPECT_EQ(before.at(name).values, after.at(name).values) << name;
  }
  EXPECT_NE(before.at("whiten1/bias").values, after.at("whiten1/bias").values);
}

TEST_F(CpuEngine, RefusesWhatItCannotRun) {
  EngineOptions options;
  options.batch = 4;
  options.mean = {1, 2};
  EXPECT_THROW(compile_cpu(graph, options, nullptr)->load(initial_parameters(graph, 1)), Error);
  options.mean.clear();
  const auto made = compile_cpu(graph, options, nullptr);
  EXPECT_THROW(logits(*made, samples.first(2, shape)), Error);  // nothing loaded
  made->load(initial_parameters(graph, 1));
  EXPECT_THROW(logits(*made, samples.batch), Error);  // too many
  ParameterSet wrong = initial_parameters(graph, 1);
  wrong.find("conv1/kernel")->shape = {1, 1, 1, 1};
  EXPECT_THROW(made->load(wrong), Error);
}

TEST_F(CpuEngine, ProfileNamesEveryLayerAndChangesNothing) {
  const auto made = engine(true);
  const ParameterSet before = made->save();
  EXPECT_EQ(made->profile(samples.batch).size(), graph.nodes.size());
  EXPECT_TRUE(same(before, made->save()));
  EXPECT_NE(made->describe().find("conv2"), std::string::npos);
}

// The environment is the user's again by the time a program of ours runs.
TEST(Spin, BorrowsFromTheEnvironmentAndGivesBack) {
  EXPECT_NE(std::getenv("PATH"), nullptr);
  if (*cpu::spin_setting() == '\0') GTEST_SKIP() << "the user chose, or a sanitizer is there";
  EXPECT_EQ(std::getenv("GOMP_SPINCOUNT"), nullptr);
}

}  // namespace
}  // namespace lepton
