// What engine.h promises, on every engine.
#include <limits>

#include "engine/engine_testing.h"

namespace lepton {
namespace {

constexpr const char* kNet =
    "conv 20 3x3 bn relu; maxpool 2; residual {; conv 20 3x3 bn gelu; }; conv 6 3x3 relu; dropout 0.25; dense 9 silu; "
    "dense classes";
constexpr int64_t kClasses = 5;
constexpr int64_t kSamples = 7;

class EngineTest : public testing::TestWithParam<std::string> {
 protected:
  EngineTest() {
    options_.batch = kSamples;
    options_.training = true;
    options_.threads = 3;
    options_.seed = 11;
    set_normalization(shape_, options_);
  }

  void set_rates(float rate, float decay) { steps_ = TestSteps(graph_, rate, decay); }

  std::unique_ptr<Engine> made(const std::string& device) const {
    auto engine = compile_or_skip(graph_, device, options_);
    if (engine) engine->load(test_parameters(graph_));
    return engine;
  }
  std::unique_ptr<Engine> made() const { return made(GetParam()); }

  StepResult step(Engine& engine, const Batch& batch, int64_t number = 0) const {
    return steps_(engine, batch, number);
  }

  std::vector<float> logits(Engine& engine, const Batch& batch) const {
    std::vector<float> values(static_cast<size_t>(batch.n * kClasses));
    engine.infer(batch, graph_.output(), values);
    return values;
  }

  const Shape shape_{8, 10, 3};
  const Graph graph_ = build_graph(kNet, shape_, kClasses);
  const TestSamples samples_{shape_, kSamples, kClasses};
  EngineOptions options_;
  TestSteps steps_{graph_, 0.02F, 1e-3F};
};

// Three steps with decay, clipping and averages, each parameter with its own rate.
TEST_P(EngineTest, OptimizersDoAsTheReference) {
  for (const OptimizerCase& c : optimizer_cases()) {
    SCOPED_TRACE(c.name);
    options_.optimizer = c.spec;
    for (size_t i = 0; i < steps_.rates.size(); ++i) {
      steps_.rates[i] = 0.01F * static_cast<float>(1 + i % 3);
      steps_.decays[i] = 0.02F * static_cast<float>(i % 4);
    }
    const auto engine = made(), reference = made("reference");
    if (!engine) return;
    for (int64_t number = 0; number < 3; ++number) {
      const StepResult result = step(*engine, samples_.batch(), number);
      const StepResult expected = step(*reference, samples_.batch(), number);
      EXPECT_NEAR(result.loss, expected.loss, 1e-4);
      EXPECT_NEAR(result.gradient_norm, expected.gradient_norm, 1e-3 * expected.gradient_norm);
      EXPECT_GT(expected.gradient_norm, static_cast<double>(c.spec.clip));  // so that clipping does something
    }
    const ParameterSet saved = engine->save(), right = reference->save();
    ASSERT_EQ(saved.tensors.size(), right.tensors.size());
    for (size_t i = 0; i < saved.tensors.size(); ++i) {
      EXPECT_EQ(saved.tensors[i].name, right.tensors[i].name);
      EXPECT_EQ(saved.tensors[i].shape, right.tensors[i].shape);
      expect_near(saved.tensors[i].values, right.tensors[i].values, 1e-3, right.tensors[i].name, 1e-3);
    }
    EXPECT_EQ(saved.at("optimizer.steps").values, std::vector<float>{3});
  }
}

TEST_P(EngineTest, SavedStateContinuesTheRun) {
  for (const OptimizerCase& c : optimizer_cases()) {
    SCOPED_TRACE(c.name);
    options_.optimizer = c.spec;
    const auto whole = made(), half = made(), resumed = made();
    if (!whole) return;
    for (int64_t number = 0; number < 4; ++number) step(*whole, samples_.batch(), number);
    for (int64_t number = 0; number < 2; ++number) step(*half, samples_.batch(), number);
    resumed->load(half->save());
    for (int64_t number = 2; number < 4; ++number) step(*resumed, samples_.batch(), number);
    const ParameterSet a = whole->save(), b = resumed->save();
    if (GetParam() != "reference") {
      EXPECT_TRUE(same(a, b));
      continue;
    }
    for (size_t i = 0; i < a.tensors.size(); ++i) {  // the reference's doubles were rounded on the way
      expect_near(b.tensors[i].values, a.tensors[i].values, 1e-4, a.tensors[i].name, 1e-3);
    }
  }
}

TEST_P(EngineTest, ClippedGradientHasTheNormAskedFor) {
  options_.optimizer.momentum = 0;
  options_.optimizer.clip = 0.25F;
  set_rates(0, 0);
  const auto engine = made();
  if (!engine) return;
  EXPECT_GT(step(*engine, samples_.batch()).gradient_norm, 0.25);
  double square = 0;
  for (const NamedTensor& tensor : engine->save().tensors) {
    if (!tensor.name.ends_with(".momentum")) continue;
    for (const float v : tensor.values) square += static_cast<double>(v) * static_cast<double>(v);
  }
  EXPECT_NEAR(std::sqrt(square), 0.25, 1e-5);
}

TEST_P(EngineTest, AveragesAnswerWhereTheyAreKept) {
  options_.optimizer.ema = 0.5F;
  const auto engine = made();
  if (!engine) return;
  step(*engine, samples_.batch());
  const ParameterSet before = test_parameters(graph_), saved = engine->save(), answering = answering_parameters(saved);
  ASSERT_EQ(answering.tensors.size(), before.tensors.size());
  for (const NamedTensor& tensor : answering.tensors) {
    if (tensor.name.ends_with("/mean") || tensor.name.ends_with("/variance")) {
      EXPECT_EQ(tensor.values, saved.at(tensor.name).values) << tensor.name;
      continue;
    }
    std::vector<float> middle = saved.at(tensor.name).values;
    for (size_t i = 0; i < middle.size(); ++i) middle[i] = (middle[i] + before.at(tensor.name).values[i]) / 2;
    expect_near(tensor.values, middle, 1e-6, tensor.name);
  }
}

TEST_P(EngineTest, AStepThatIsNotFiniteChangesNothing) {
  const auto engine = made();
  if (!engine) return;
  step(*engine, samples_.batch());
  ParameterSet broken = engine->save();
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    broken.find("dense2/kernel")->values[0] = bad;
    engine->load(broken);
    EXPECT_FALSE(step(*engine, samples_.batch(), 1).finite);
    const ParameterSet after = engine->save();
    for (size_t i = 0; i < broken.tensors.size(); ++i) {
      if (broken.tensors[i].name == "dense2/kernel") continue;  // NaN is equal to nothing
      EXPECT_EQ(after.tensors[i].values, broken.tensors[i].values) << broken.tensors[i].name;
    }
  }
}

TEST_P(EngineTest, WithoutAnyLabelThereIsNoLossAndNoGradient) {
  set_rates(0.1F, 0);
  const auto engine = made();
  if (!engine) return;
  const std::vector<int32_t> none(kSamples, -1);
  Batch batch = samples_.batch();
  batch.labels = none;
  const StepResult result = step(*engine, batch);
  EXPECT_EQ(result.loss, 0);
  EXPECT_EQ(result.correct, 0);
  EXPECT_TRUE(result.finite);
  const ParameterSet before = test_parameters(graph_), after = engine->save();
  for (const NamedTensor& tensor : before.tensors) {
    if (tensor.name.ends_with("/mean") || tensor.name.ends_with("/variance")) continue;
    EXPECT_EQ(after.at(tensor.name).values, tensor.values) << tensor.name;
  }
}

TEST_P(EngineTest, AWeightOfTwoCountsAsTwoSamples) {
  // Without batch-norm and dropout, a sample given twice is a sample of twice the weight.
  const Graph graph = build_graph("conv 5 3x3 relu; dense classes", shape_, kClasses);
  const Batch all = samples_.batch();
  const auto elements = static_cast<size_t>(shape_.elements());
  std::vector<uint8_t> images(all.images.begin(), all.images.begin() + static_cast<std::ptrdiff_t>(2 * elements));
  images.insert(images.end(), all.images.begin(), all.images.begin() + static_cast<std::ptrdiff_t>(elements));
  std::vector<int32_t> labels = {all.labels[0], all.labels[1], all.labels[0]};
  const std::vector<float> weights = {2, 1};
  Batch twice, weighted;
  twice.n = 3;
  twice.images = images;
  twice.labels = labels;
  weighted.n = 2;
  weighted.images = all.images.first(2 * elements);
  weighted.labels = all.labels.first(2);
  weighted.weights = weights;
  const auto a = compile_or_skip(graph, GetParam(), options_), b = compile_or_skip(graph, GetParam(), options_);
  if (!a) return;
  a->load(test_parameters(graph));
  b->load(test_parameters(graph));
  steps_ = TestSteps(graph, 0.02F, 1e-3F);
  EXPECT_NEAR(step(*a, twice).loss, step(*b, weighted).loss, 1e-5);
  const ParameterSet x = a->save(), y = b->save();
  for (size_t i = 0; i < x.tensors.size(); ++i) {
    expect_near(x.tensors[i].values, y.tensors[i].values, 1e-5, x.tensors[i].name);
  }
}

TEST_P(EngineTest, InferenceAndProfileChangeNothing) {
  const auto engine = made();
  if (!engine) return;
  step(*engine, samples_.batch());
  const ParameterSet before = engine->save();
  const std::vector<float> answer = logits(*engine, samples_.batch());
  const std::vector<LayerTime> times = engine->profile(samples_.batch());
  ASSERT_EQ(times.size(), graph_.nodes.size());
  for (size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times[i].node, static_cast<NodeId>(i));
  EXPECT_EQ(logits(*engine, samples_.batch()), answer);
  EXPECT_TRUE(same(engine->save(), before));
  EXPECT_GT(engine->memory_bytes(), graph_.parameter_count() * 4);
  EXPECT_TRUE(engine->describe().starts_with(GetParam()));
}

TEST_P(EngineTest, DropoutDependsOnTheStepAndNotOnTheCall) {
  set_rates(0, 0);
  const auto engine = made();
  if (!engine) return;
  const double first = step(*engine, samples_.batch(), 1).loss, second = step(*engine, samples_.batch(), 2).loss;
  EXPECT_NE(first, second);
  EXPECT_EQ(step(*engine, samples_.batch(), 1).loss, first);
}

TEST_P(EngineTest, RefusesWhatDoesNotFit) {
  const auto engine = made();
  if (!engine) return;
  EXPECT_EQ(status_of([&] { engine->load({}); }), Exit::mismatch);
  ParameterSet other = test_parameters(graph_);
  other.find("conv1/kernel")->shape = {3, 3, 20, 3};
  EXPECT_EQ(status_of([&] { engine->load(other); }), Exit::mismatch);
  const std::vector<int32_t> labels(kSamples, static_cast<int32_t>(kClasses));
  Batch batch = samples_.batch();
  batch.labels = labels;
  EXPECT_EQ(status_of([&] { step(*engine, batch); }), Exit::mismatch);
  batch = samples_.batch();
  batch.images = batch.images.first(100);
  EXPECT_EQ(status_of([&] { step(*engine, batch); }), Exit::mismatch);
  options_.mean = {1, 2};
  EXPECT_EQ(status_of([&] { made(); }), Exit::mismatch);
}

INSTANTIATE_TEST_SUITE_P(Devices, EngineTest, testing::ValuesIn(test_devices()),
                         [](const auto& device) { return device.param; });

TEST(Compile, NamesTheDevicesThereAre) {
  const Graph graph = build_graph("dense classes", {3}, 2);
  EXPECT_EQ(status_of([&] { compile(graph, "gpu", {}); }), Exit::device);
  EXPECT_NO_THROW(compile(graph, "auto", {}));
  EXPECT_NO_THROW(compile(graph, "reference", {}));
}

}  // namespace
}  // namespace lepton
