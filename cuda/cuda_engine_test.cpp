// Whole runs beside the CPU engine, and checkpoints that change engines.
#include "cuda/cuda_engine.h"

#include <regex>

#include "cuda/host_policy.h"
#include "engine/engine_testing.h"
#include "net/parameters.h"
#include "net/presets.h"

namespace lepton {
namespace {

constexpr const char* kNet =
    "conv 12 3x3 bn relu; maxpool 2; residual {; conv 12 3x3 bn gelu; }; conv "
    "16 3x3 stride=2 relu; dropout 0.2; "
    "globalpool avg; dense 9 silu; dense classes";
constexpr int64_t kClasses = 5, kSamples = 12;

class CudaEngineTest : public testing::TestWithParam<OptimizerKind> {
 protected:
  CudaEngineTest() : samples_(shape_, kSamples, kClasses) {
    samples_.augment(shape_);
    options_.batch = kSamples;
    options_.training = true;
    options_.threads = 1;
    options_.seed = 5;
    options_.optimizer.kind = GetParam();
    options_.optimizer.epsilon = 1e-3F;  // adamw: gradients near 0 are not blown up to full steps
    options_.optimizer.ema = 0.9F;
    options_.optimizer.clip = 1;
    set_normalization(shape_, options_);
    rates_.assign(parameters_of(graph_).size(), 0.02F);
    decays_.assign(rates_.size(), 1e-3F);
  }

  std::unique_ptr<Engine> made(const std::string& device) const {
    auto engine = compile_tested(graph_, device, options_);
    engine->load(initial_parameters(graph_, 3));
    return engine;
  }

  StepResult step(Engine& engine, int64_t number) const {
    StepSettings settings;
    settings.step = number;
    settings.rates = rates_;
    settings.decays = decays_;
    settings.label_smoothing = 0.1F;
    return engine.train_step(samples_.batch(), settings);
  }

  static void expect_same(const ParameterSet& a, const ParameterSet& b, double tolerance) {
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (size_t i = 0; i < a.tensors.size(); ++i) {
      ASSERT_EQ(a.tensors[i].name, b.tensors[i].name);
      EXPECT_EQ(a.tensors[i].shape, b.tensors[i].shape);
      expect_near(a.tensors[i].values, b.tensors[i].values, tolerance, a.tensors[i].name, 0.1);
    }
  }

  const Shape shape_{9, 8, 3};
  const Graph graph_ = build_graph(kNet, shape_, kClasses);
  TestSamples samples_;
  EngineOptions options_;
  std::vector<float> rates_, decays_;
};

TEST_P(CudaEngineTest, TenStepsAreThoseOfTheCpuEngine) {
  for (const std::string& device : test_devices()) {
    SCOPED_TRACE(device);
    const auto cuda = made(device), cpu = made("cpu");
    for (int64_t number = 0; number < 10; ++number) {
      const StepResult result = step(*cuda, number), expected = step(*cpu, number);
      EXPECT_NEAR(result.loss, expected.loss, 1e-4 * expected.loss) << number;
      EXPECT_NEAR(result.gradient_norm, expected.gradient_norm, 1e-3 * expected.gradient_norm) << number;
      EXPECT_EQ(result.correct, expected.correct) << number;
    }
    expect_same(cuda->save(), cpu->save(), 1e-4);
  }
}

// Half a run on one engine, the other half on the other.
TEST_P(CudaEngineTest, ACheckpointOfOneEngineResumesOnTheOther) {
  const auto whole = made("cpu");
  for (int64_t number = 0; number < 6; ++number) step(*whole, number);
  for (const bool cuda_first : {true, false}) {
    const auto first = made(cuda_first ? "cuda_host" : "cpu"), second = made(cuda_first ? "cpu" : "cuda_host");
    for (int64_t number = 0; number < 3; ++number) step(*first, number);
    const ParameterSet saved = first->save();
    second->load(saved);
    expect_same(second->save(), saved, 0);
    for (int64_t number = 3; number < 6; ++number) step(*second, number);
    expect_same(second->save(), whole->save(), 1e-4);
  }
}

TEST_P(CudaEngineTest, StepsRepeatBitForBit) {
  for (const std::string& device : test_devices()) {
    SCOPED_TRACE(device);
    const auto once = made(device), again = made(device);
    for (int64_t number = 0; number < 3; ++number) {
      step(*once, number);
      step(*again, number);
    }
    expect_same(once->save(), again->save(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Optimizers, CudaEngineTest,
                         testing::Values(OptimizerKind::sgd, OptimizerKind::adamw, OptimizerKind::muon),
                         [](const auto& kind) {
                           return kind.param == OptimizerKind::sgd    ? "sgd"
                                  : kind.param == OptimizerKind::muon ? "muon"
                                                                      : "adamw";
                         });

// The arena gives a buffer's bytes away once nothing reads it.
TEST(CudaValues, ShareTheArena) {
  const Graph graph = build_graph("conv 8 3x3 relu; conv 8 3x3 relu; conv 8 3x3 relu; dense classes", {8, 8, 3}, 5);
  int64_t all = 0;
  for (const Node& node : graph.nodes) all += 4 * node.shape.elements() * 4;
  EngineOptions options;
  options.batch = 4;
  const int64_t inference = compile_tested(graph, "cuda_host", options)->memory_bytes();
  options.training = true;
  const int64_t training = compile_tested(graph, "cuda_host", options)->memory_bytes();
  EXPECT_GT(training, all);  // every value lives until its backward pass
  EXPECT_LT(inference, training * 2 / 3);
}

// Kernels and products of a training step: each costs a GPU about two microseconds. With fewer filters than the
// networks have, which changes nothing; batches so small that convolutions are one chunk.
TEST(CudaEngine, AStepIsFewCalls) {
  struct Row {
    const char* net;
    OptimizerKind optimizer;
    int64_t most;
  };
  for (const Row& row : {Row{"speed94", OptimizerKind::muon, 182}, Row{"resnet9", OptimizerKind::sgd, 168}}) {
    std::string net = find_preset(row.net)->net;
    for (const auto& [wide, narrow] :
         {std::pair{"conv 64", "conv 2"}, {"conv 128", "conv 3"}, {"conv 256", "conv 4"}, {"conv 512", "conv 5"}}) {
      net = std::regex_replace(net, std::regex(wide), narrow);
    }
    const Graph graph = build_graph(net, {32, 32, 3}, kClasses);
    EngineOptions options;
    options.batch = 2;
    options.training = true;
    options.precision = Precision::bf16;
    options.optimizer.kind = row.optimizer;
    auto policy = std::make_unique<cuda::HostPolicy>();
    const cuda::HostPolicy& host = *policy;
    const auto engine = cuda::make_engine(std::move(policy), graph, options);
    engine->load(initial_parameters(graph, 3));
    const std::vector<float> rates(parameters_of(graph).size(), 0.01F), decays(rates.size(), 0.0F);
    StepSettings settings;
    settings.rates = rates;
    settings.decays = decays;
    const TestSamples samples({32, 32, 3}, 2, kClasses);
    const int64_t before = host.calls();
    ASSERT_TRUE(engine->train_step(samples.batch(), settings).finite);
    EXPECT_LE(host.calls() - before, row.most) << row.net;
  }
}

}  // namespace
}  // namespace lepton
