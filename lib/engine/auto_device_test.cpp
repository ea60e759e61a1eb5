// The judgement on a GPU, with engines that are wrong on purpose in its place.
#include "engine/auto_device.h"

#include <algorithm>
#include <limits>

#include "engine/engine_testing.h"

namespace lepton {
namespace {

enum class Fault { none, answers, not_a_number, gradients, update, missing };

// The CPU engine with one fault.
class FaultyEngine : public Engine {
 public:
  FaultyEngine(const Graph& graph, const EngineOptions& options, Fault fault)
      : engine_(compile_cpu(graph, options, nullptr)), fault_(fault) {}

  StepResult train_step(const Batch& batch, const StepSettings& settings) override {
    StepSettings changed = settings;
    const std::vector<float> rates(settings.rates.size(), 3.0F);
    if (fault_ == Fault::update) changed.rates = rates;
    return engine_->train_step(batch, changed);
  }
  void infer(const Batch& batch, NodeId node, std::span<float> values) override {
    engine_->infer(batch, node, values);
    if (fault_ == Fault::answers) std::swap(values[0], values[1]);
    if (fault_ == Fault::not_a_number) values[2] = std::numeric_limits<float>::quiet_NaN();
  }
  void load(const ParameterSet& set) override { engine_->load(set); }
  ParameterSet save() const override {
    ParameterSet set = engine_->save();
    NamedTensor* gradient = set.find("conv2/kernel.momentum");
    if (fault_ == Fault::gradients && gradient != nullptr) std::ranges::reverse(gradient->values);
    return set;
  }
  std::vector<LayerTime> profile(const Batch& batch) override { return engine_->profile(batch); }
  int64_t memory_bytes() const override { return engine_->memory_bytes(); }
  std::string describe() const override { return "gpu\n"; }

 private:
  std::unique_ptr<Engine> engine_;
  Fault fault_;
};

struct Judgement {
  bool gpu;
  std::string warning;
};

Judgement judged(const char* net, const Shape& input, Fault fault, bool training, OptimizerKind optimizer,
                 int64_t tokens = 0, LossKind loss = LossKind::cross_entropy) {
  const Graph graph = build_graph(net, input, 5, tokens);
  EngineOptions options;
  options.batch = 40;
  options.threads = 1;
  options.training = training;
  options.optimizer.kind = optimizer;
  options.loss = loss;
  if (tokens == 0) set_normalization(input, options);
  AutoDevice device;
  const auto gpu = [&](const Graph& g, const EngineOptions& o) -> std::unique_ptr<Engine> {
    if (fault == Fault::missing) fail(Exit::device, "cuda: out of memory");
    return std::make_unique<FaultyEngine>(g, o, fault);
  };
  const auto cpu = [&](const Graph& g, const EngineOptions& o) { return compile_cpu(g, o, nullptr); };
  const bool first = device.compile(graph, options, gpu, cpu)->describe() == "gpu\n";
  EXPECT_EQ(device.compile(graph, options, gpu, cpu)->describe() == "gpu\n", first);
  return {first, device.warning()};
}

constexpr const char* kNet = "conv 8 3x3 bn relu; maxpool 2; conv 16 3x3 bn gelu; dropout 0.2; dense classes";

TEST(AutoDevice, TakesAGpuThatAnswersAsTheCpu) {
  for (const auto kind : {OptimizerKind::sgd, OptimizerKind::adamw, OptimizerKind::muon}) {
    for (const bool training : {false, true}) {
      const Judgement images = judged(kNet, {8, 8, 3}, Fault::none, training, kind);
      EXPECT_TRUE(images.gpu && images.warning.empty()) << images.warning;
      const Judgement rows = judged("dense 16 relu; dense classes", {7}, Fault::none, training, kind);
      EXPECT_TRUE(rows.gpu && rows.warning.empty()) << rows.warning;
      const Judgement numbers =
          judged("conv 5 3; dense classes", {9, 4}, Fault::none, training, kind, 0, LossKind::mse);
      EXPECT_TRUE(numbers.gpu && numbers.warning.empty()) << numbers.warning;
      const Judgement texts =
          judged("embed 12; conv 8 3; globalpool avg; dense classes", {9}, Fault::none, training, kind, 30);
      EXPECT_TRUE(texts.gpu && texts.warning.empty()) << texts.warning;
    }
  }
}

TEST(AutoDevice, LeavesOneThatDoesNotAndSaysInWhat) {
  const struct {
    Fault fault;
    const char* said;
    bool only_training;
  } rows[] = {
      {Fault::answers, "answers off by", false},
      {Fault::not_a_number, "answers off by nan", false},
      {Fault::gradients, "conv2/kernel.momentum off by", true},
      {Fault::update, "after a step", true},
      {Fault::missing, "cuda: out of memory", false},
  };
  for (const auto& row : rows) {
    for (const bool training : {false, true}) {
      const Judgement j = judged(kNet, {8, 8, 3}, row.fault, training, OptimizerKind::sgd);
      const bool seen = training || !row.only_training;
      EXPECT_NE(j.gpu, seen) << row.said;
      EXPECT_EQ(j.warning.find(row.said) != std::string::npos, seen) << j.warning;
    }
  }
}

// What the caller loads afterwards is all that counts.
TEST(AutoDevice, LeavesNoTraceInTheEngine) {
  const Graph graph = build_graph(kNet, {8, 8, 3}, 5);
  EngineOptions options;
  options.training = true;
  options.threads = 1;
  options.optimizer.kind = OptimizerKind::adamw;
  options.optimizer.ema = 0.9F;
  const auto judged = compile_cpu(graph, options, nullptr), fresh = compile_cpu(graph, options, nullptr);
  const auto other = compile_cpu(graph, options, nullptr);
  EXPECT_EQ(disagreement(distances(graph, options, *judged, *other), Precision::fp32), "");
  judged->load(test_parameters(graph));
  fresh->load(test_parameters(graph));
  const ParameterSet a = judged->save(), b = fresh->save();
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (size_t i = 0; i < a.tensors.size(); ++i) EXPECT_EQ(a.tensors[i].values, b.tensors[i].values);
}

}  // namespace
}  // namespace lepton
