// Whole runs beside the CPU engine, and checkpoints that change engines.
#include <regex>
#include <tuple>

#include "cuda/host_engines.h"
#include "engine/engine_testing.h"
#include "net/parameters.h"
#include "net/presets.h"

namespace lepton {
namespace {

// What is trained on, and with what.
struct Net {
  const char* name;
  const char* text;
  Shape input;
  int64_t tokens = 0;
  LossKind loss = LossKind::cross_entropy;
};

const Net kNets[] = {
    {"images",
     "conv 12 3x3 bn relu; maxpool 2; residual {; conv 12 3x3 bn gelu; }; conv 16 3x3 stride=2 relu; dropout 0.2; "
     "globalpool avg; dense 9 silu; dense classes",
     {9, 8, 3}},
    {"frames",
     "conv 12 3 bn relu; parallel {; dwconv 3 silu; |; conv 8 1 relu; }; conv 10 3 stride=2; globalpool avg; dense "
     "classes",
     {12, 7},
     0,
     LossKind::mse},
    {"texts",
     "embed 10; conv 12 3 bn relu; parallel {; conv 8 2 relu; globalpool max; |; conv 8 3 silu; globalpool avg; }; "
     "dropout 0.2; dense classes",
     {9},
     25},
};
constexpr int64_t kClasses = 5, kSamples = 12;

using NetCase = std::tuple<OptimizerKind, Net>;

class CudaEngineTest : public testing::TestWithParam<NetCase> {
 protected:
  CudaEngineTest()
      : net_(std::get<Net>(GetParam())),
        graph_(build_graph(net_.text, net_.input, kClasses, net_.tokens)),
        samples_(net_.input, kSamples, kClasses, 1, net_.tokens),
        steps_(graph_, 0.02F, 1e-3F) {
    steps_.label_smoothing = 0.1F;
    options_.batch = kSamples;
    options_.training = true;
    options_.threads = 1;
    options_.seed = 5;
    options_.loss = net_.loss;
    options_.optimizer.kind = std::get<OptimizerKind>(GetParam());
    options_.optimizer.epsilon = 1e-3F;  // adamw: gradients near 0 are not blown up to full steps
    options_.optimizer.ema = 0.9F;
    options_.optimizer.clip = 1;
    if (net_.tokens == 0) set_normalization(net_.input, options_);
    if (net_.tokens == 0) samples_.augment(net_.input);
    if (net_.loss == LossKind::mse) samples_.aim();
  }

  std::unique_ptr<Engine> made(const std::string& device) const {
    auto engine = compile_tested(graph_, device, options_);
    engine->load(initial_parameters(graph_, 3));
    return engine;
  }

  StepResult step(Engine& engine, int64_t number) const { return steps_(engine, samples_.batch(), number); }

  static void expect_same(const ParameterSet& a, const ParameterSet& b, double tolerance) {
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (size_t i = 0; i < a.tensors.size(); ++i) {
      ASSERT_EQ(a.tensors[i].name, b.tensors[i].name);
      EXPECT_EQ(a.tensors[i].shape, b.tensors[i].shape);
      expect_near(a.tensors[i].values, b.tensors[i].values, tolerance, a.tensors[i].name, 0.1);
    }
  }

  const Net net_;
  const Graph graph_;
  TestSamples samples_;
  TestSteps steps_;
  EngineOptions options_;
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

TEST_P(CudaEngineTest, StepsRepeatAndResumeBitForBit) {
  for (const std::string& device : test_devices()) {
    SCOPED_TRACE(device);
    const auto once = made(device), again = made(device), resumed = made(device);
    for (int64_t number = 0; number < 4; ++number) {
      step(*once, number);
      step(*again, number);
      if (number == 1) resumed->load(again->save());
      if (number > 1) step(*resumed, number);
    }
    EXPECT_TRUE(same(once->save(), again->save()));
    EXPECT_TRUE(same(once->save(), resumed->save()));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, CudaEngineTest,
    testing::Combine(testing::Values(OptimizerKind::sgd, OptimizerKind::adamw, OptimizerKind::muon),
                     testing::ValuesIn(kNets)),
    [](const auto& row) {
      const OptimizerKind kind = std::get<OptimizerKind>(row.param);
      const char* name = kind == OptimizerKind::sgd ? "sgd_" : kind == OptimizerKind::muon ? "muon_" : "adamw_";
      return std::string(name) + std::get<Net>(row.param).name;
    });

// The networks of speech, text and tables as they come, on samples that are small.
TEST(CudaPresets, TrainAsOnTheCpuEngine) {
  const struct {
    const char* name;
    Shape input;
    int64_t tokens;
  } rows[] = {
      {"fasttext", {12}, 50}, {"textcnn", {8}, 50}, {"kws", {16, 10}, 0}, {"dscnn", {14, 8}, 0}, {"resmlp", {6}, 0}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const Graph graph = build_graph(find_preset(row.name)->net, row.input, kClasses, row.tokens);
    TestSamples samples(row.input, 6, kClasses, 1, row.tokens);
    EngineOptions options;
    options.batch = 6;
    options.training = true;
    options.threads = 1;
    options.optimizer.kind = OptimizerKind::adamw;
    options.optimizer.epsilon = 1e-3F;
    if (row.tokens == 0) samples.augment(row.input);
    if (row.tokens == 0) set_normalization(row.input, options);
    const TestSteps steps(graph, 0.002F, 0.01F);
    const auto cuda = compile_tested(graph, "cuda_host", options), cpu = compile(graph, "cpu", options);
    cuda->load(initial_parameters(graph, 3));
    cpu->load(initial_parameters(graph, 3));
    for (int64_t number = 0; number < 3; ++number) {
      const StepResult result = steps(*cuda, samples.batch(), number), expected = steps(*cpu, samples.batch(), number);
      EXPECT_NEAR(result.loss, expected.loss, 1e-4 * expected.loss) << number;
      EXPECT_EQ(result.correct, expected.correct) << number;
    }
    std::vector<float> values(static_cast<size_t>(6 * kClasses)), expected(values.size());
    cuda->infer(samples.batch(), graph.output(), values);
    cpu->infer(samples.batch(), graph.output(), expected);
    expect_near(values, expected, 1e-3, "answers");
  }
}

// What a step launches, in elements, with a table of so many rows.
int64_t elements_of_a_step(int64_t tokens, OptimizerKind kind) {
  const Graph graph = build_graph("embed 12; globalpool avg; dense classes", {6}, kClasses, tokens);
  EngineOptions options;
  options.batch = 5;
  options.training = true;
  options.precision = Precision::bf16;
  options.optimizer.kind = kind;
  options.optimizer.ema = 0.9F;
  auto policy = std::make_unique<cuda::HostPolicy>();
  const cuda::HostPolicy& counted = *policy;
  const auto engine = cuda::make_engine(std::move(policy), graph, options);
  engine->load(initial_parameters(graph, 1));
  const int64_t before = counted.elements();
  TestSteps(graph, 0.1F, 0.1F)(*engine, TestSamples({6}, 5, kClasses, 1, 40).batch(), 0);
  return counted.elements() - before;
}

TEST(CudaTable, AStepDoesNotDependOnItsSize) {
  for (const auto kind : {OptimizerKind::sgd, OptimizerKind::adamw, OptimizerKind::muon}) {
    EXPECT_EQ(elements_of_a_step(40, kind), elements_of_a_step(4000, kind));
  }
}

// The arena gives a buffer's bytes away once nothing reads it.
TEST(CudaValues, ShareTheArena) {
  std::string net;
  for (int i = 0; i < 12; ++i) net += "conv 8 3x3 relu; ";
  const Graph graph = build_graph(net + "dense classes", {8, 8, 3}, 5);
  int64_t all = 0;
  constexpr int64_t kBatch = 32;  // of which what does not grow with it is little
  for (const Node& node : graph.nodes) all += kBatch * node.shape.elements() * 4;
  EngineOptions options;
  options.batch = kBatch;
  const int64_t inference = compile_tested(graph, "cuda_host", options)->memory_bytes();
  options.training = true;
  const int64_t training = compile_tested(graph, "cuda_host", options)->memory_bytes();
  EXPECT_GT(training, all);  // every value lives until its backward pass
  EXPECT_LT(inference, training / 2);
}

// Kernels and products of a training step: each costs a GPU about two microseconds. With fewer filters than the
// networks have, which changes nothing; batches so small that convolutions are one chunk.
TEST(CudaEngine, AStepIsFewCalls) {
  struct Row {
    const char* net;
    OptimizerKind optimizer;
    int64_t most;
  };
  for (const Row& row : {Row{"speed94", OptimizerKind::muon, 184}, Row{"resnet9", OptimizerKind::sgd, 170}}) {
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
