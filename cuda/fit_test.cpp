// Engines within a limit of memory.
#include "cuda/fit.h"

#include <gtest/gtest.h>

#include <regex>

#include "cuda/host_engines.h"
#include "engine/engine_testing.h"

namespace lepton::cuda {
namespace {

const Shape kShape{32, 32, 3};
constexpr int64_t kClasses = 5, kBatch = 24;
// 3 MiB of windows a batch.
const Graph kGraph = build_graph("conv 4 3x3 bn relu; maxpool 4; dense classes", kShape, kClasses);

EngineOptions options_of(bool training, int64_t limit = 0) {
  EngineOptions options;
  options.batch = kBatch;
  options.training = training;
  options.memory_limit = limit;
  set_normalization(kShape, options);
  return options;
}

std::unique_ptr<Engine> made(const EngineOptions& options) {
  auto engine = make_engine(std::make_unique<HostPolicy>(), kGraph, options);
  engine->load(test_parameters(kGraph));
  return engine;
}

std::string refusal(const EngineOptions& options) {
  try {
    made(options);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::device);
    return error.what();
  }
  return {};
}

std::vector<float> answers(Engine& engine, const Batch& batch, NodeId node) {
  std::vector<float> values(static_cast<size_t>(batch.n * kGraph.nodes[static_cast<size_t>(node)].shape.elements()));
  engine.infer(batch, node, values);
  return values;
}

StepResult step(Engine& engine, const Batch& batch) {
  const std::vector<float> rates(parameters_of(kGraph).size(), 0.1F), decays(rates.size(), 0.01F);
  StepSettings settings;
  settings.rates = rates;
  settings.decays = decays;
  return engine.train_step(batch, settings);
}

TEST(MemoryLimit, FirstMakesSmallerWindows) {
  const auto free = made(options_of(true));
  const int64_t limit = free->memory_bytes() - (int64_t{1} << 20);
  const auto limited = made(options_of(true, limit));
  EXPECT_LE(limited->memory_bytes(), limit);
  EXPECT_NE(limited->describe().find("windows in"), std::string::npos) << limited->describe();
  const TestSamples samples(kShape, kBatch, kClasses);
  EXPECT_NEAR(step(*limited, samples.batch()).loss, step(*free, samples.batch()).loss, 1e-5);
  const ParameterSet a = limited->save(), b = free->save();
  for (size_t i = 0; i < b.tensors.size(); ++i) {
    expect_near(a.tensors[i].values, b.tensors[i].values, 1e-5, b.tensors[i].name, 0.1);
  }
  EXPECT_EQ(made(options_of(true, free->memory_bytes()))->describe().find("windows in"), std::string::npos);
}

TEST(MemoryLimit, NamesTheBatchThatWouldTrain) {
  EngineOptions options = options_of(true);
  options.batch = 10;
  options.window_bytes = int64_t{1} << 20;
  const int64_t limit = made(options)->memory_bytes();
  const std::string message = refusal(options_of(true, limit));
  EXPECT_NE(message.find("batch of 24 does not fit"), std::string::npos) << message;
  std::smatch found;  // perhaps more than 10: plans of larger batches may need less room
  ASSERT_TRUE(std::regex_search(message, found, std::regex("one of ([0-9]+) would; lower --batch"))) << message;
  options.batch = std::stol(found[1]);
  options.memory_limit = limit;
  EXPECT_GE(options.batch, 10);
  EXPECT_LE(made(options)->memory_bytes(), limit);
  EXPECT_NE(refusal(options_of(true, 1000)).find("not even a batch of 1"), std::string::npos);
  EXPECT_NE(refusal(options_of(false, 1000)).find("not even a batch of 1"), std::string::npos);
}

TEST(MemoryLimit, AnswersInPiecesWithTheSameBits) {
  EngineOptions options = options_of(false);
  options.batch = 7;
  options.window_bytes = int64_t{1} << 20;
  const int64_t limit = made(options)->memory_bytes();
  const auto pieces = made(options_of(false, limit)), whole = made(options_of(false));
  EXPECT_LE(pieces->memory_bytes(), limit);
  EXPECT_NE(pieces->describe().find("pieces of"), std::string::npos) << pieces->describe();
  TestSamples samples(kShape, kBatch, kClasses);
  samples.augment(kShape);
  for (const NodeId node : {NodeId{1}, kGraph.output()}) {
    EXPECT_EQ(answers(*pieces, samples.batch(), node), answers(*whole, samples.batch(), node));
  }
  EXPECT_TRUE(same(pieces->save(), whole->save()));
  const std::vector<LayerTime> times = pieces->profile(samples.batch());
  ASSERT_EQ(times.size(), kGraph.nodes.size());
  EXPECT_GT(times[1].forward_ms, 0);
  std::vector<float> small(3);
  EXPECT_EQ(status_of([&] { pieces->infer(samples.batch(), kGraph.output(), small); }), Exit::bug);
}

// Of engines that only answer, in whole batches and in pieces.
TEST(Inference, AnswersInEveryPrecision) {
  const TestSamples samples(kShape, kBatch, kClasses);
  const std::vector<float> exact = answers(*made(options_of(false)), samples.batch(), kGraph.output());
  for (const auto& [precision, bound] :
       {std::pair{Precision::tf32, 0.003}, {Precision::bf16, 0.03}, {Precision::fp16, 0.004}}) {
    EngineOptions options = options_of(false);
    options.precision = precision;
    const auto whole = made(options);
    const std::vector<float> rounded = answers(*whole, samples.batch(), kGraph.output());
    expect_near(rounded, exact, bound, kPrecisionNames[static_cast<size_t>(precision)]);
    EXPECT_NE(rounded, exact);
    EngineOptions small = options;
    small.batch = 7;
    small.window_bytes = int64_t{1} << 20;
    options.memory_limit = made(small)->memory_bytes();
    const auto pieces = made(options);
    EXPECT_NE(pieces->describe().find("pieces of"), std::string::npos) << pieces->describe();
    EXPECT_EQ(answers(*pieces, samples.batch(), kGraph.output()), rounded);
  }
}

// What is not a matter of the limit is no reason to try less.
TEST(MemoryLimit, HidesNoOtherError) {
  EngineOptions options = options_of(true, int64_t{1} << 30);
  options.mean = {1, 2};
  EXPECT_EQ(status_of([&] { made(options); }), Exit::mismatch);
}

}  // namespace
}  // namespace lepton::cuda
