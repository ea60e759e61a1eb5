// The harness of scripts/gpu-check on the host policy: right engines pass, wrong ones do not, and it measures.
#include "cuda/gpu_check.h"

#include <gtest/gtest.h>

#include "cuda/host_engines.h"
#include "net/parameters.h"

namespace lepton::cuda {
namespace {

std::unique_ptr<Engine> on_host(const Graph& graph, const EngineOptions& options) {
  return make_engine(std::make_unique<HostPolicy>(), graph, options);
}

TEST(GpuCheck, PassesEveryRowInEveryPrecision) {
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
    for (const LayerCase& row : kLayerCases) {
      if (lacking(row)) continue;
      const CaseResult result = check_case(row, precision, on_host);
      const Distances& d = result.distances;
      EXPECT_TRUE(result.passed) << row.name << " in " << kPrecisionNames[static_cast<size_t>(precision)]
                                 << ": answers " << d.answers << ", loss " << d.loss << ", gradients " << d.gradients
                                 << " (" << d.worst_gradient << "), then " << d.next_loss << " and " << d.next_answers;
    }
  }
}

TEST(GpuCheck, FailsAnEngineOfAnotherNetwork) {
  const LayerCase row{"relu", "conv 5 3x3 relu; dense classes", {6, 6, 3}};
  const auto wrong = [](const Graph&, const EngineOptions& options) {
    return on_host(build_graph("conv 5 3x3 silu; dense classes", {6, 6, 3}, kCaseClasses), options);
  };
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    EXPECT_TRUE(check_case(row, precision, on_host).passed);
    EXPECT_FALSE(check_case(row, precision, wrong).passed);
  }
}

TEST(GpuCheck, TellsReplayedStepsFromOthers) {
  const auto plain = [](const Graph& graph, const EngineOptions& options) {
    return make_engine(std::make_unique<HostPolicy>(false), graph, options);
  };
  const auto other = [](const Graph& graph, EngineOptions options) {
    options.seed = 1;  // of dropout
    return on_host(graph, options);
  };
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    EXPECT_TRUE(replays_as_plain(precision, on_host, plain));
    EXPECT_FALSE(replays_as_plain(precision, other, plain));
  }
}

TEST(GpuCheck, MeasuresTraining) {
  const Graph graph = build_graph("conv 4 3x3 bn relu; dense classes", {6, 6, 3}, 5);
  EngineOptions options;
  options.batch = 4;
  options.training = true;
  const Speed speed = measure_training(graph, options, on_host, 2, 3, initial_parameters(graph, 1));
  ASSERT_EQ(speed.images_per_second.size(), 2U);
  for (const double each : speed.images_per_second) EXPECT_GT(each, 0);
  EXPECT_EQ(speed.layers.size(), graph.nodes.size());
  HostPolicy policy;
  EXPECT_GT(copy_ceiling(policy, 1000, 2), 0);
  EXPECT_GT(product_ceiling(policy, 8, Type::bf16, false, 2), 0);
}

}  // namespace
}  // namespace lepton::cuda
