// The harness of scripts/gpu-check on the host policy: right engines pass, wrong ones do not, and it measures.
#include "cuda/gpu_check.h"

#include <gtest/gtest.h>

#include <fstream>

#include "cuda/gpu_run.h"
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
      const CaseResult result = check_case(row, precision, on_host);
      const Distances& d = result.distances;
      EXPECT_TRUE(result.passed) << row.name << " in " << kPrecisionNames[static_cast<size_t>(precision)]
                                 << ": answers " << d.answers << ", loss " << d.loss << ", gradients " << d.gradients
                                 << " (" << d.worst_gradient << "), then " << d.next_loss << " and " << d.next_answers;
    }
  }
}

// More places than a byte counts.
TEST(GpuCheck, LargeWindowsOfMaxpoolPass) {
  for (const char* net : {"conv 8 1x1; globalpool max; dense classes", "conv 3 1x1; maxpool 17; dense classes"}) {
    EXPECT_TRUE(check_case({"large", net, {17, 18, 3}}, Precision::fp32, on_host).passed) << net;
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

// Images of two colours on a noisy ground.
PlainImages two_colours(int64_t n, uint64_t salt) {
  PlainImages images{{8, 8, 3}, {}, {}};
  for (int64_t i = 0; i < n; ++i) {
    const auto label = static_cast<int32_t>(i % 2);
    images.labels.push_back(label);
    for (int64_t k = 0; k < 8 * 8 * 3; ++k) {
      const uint32_t noise = random4(salt, Stream::sample, 0, static_cast<uint64_t>(i * 192 + k)).v[0] >> 25;
      images.pixels.push_back(static_cast<uint8_t>(noise + (k % 3 == label ? 100 : 0)));
    }
  }
  return images;
}

TEST(GpuCheck, TrainsAPresetToItsAccuracyAndRepeats) {
  Preset preset = *find_preset("speed94");
  preset.net =
      "whiten 2x2 bias-epochs=1; gelu; conv 4 3x3 init=dirac; maxpool 2; bn scale=fixed gelu; "
      "globalpool max; dense classes nobias init=unit; scale 1/16";
  for (auto& [name, value] : preset.defaults) {
    if (name == "batch") value = "16";
    if (name == "epochs") value = "4";
  }
  const PlainImages train = two_colours(60, 1), test = two_colours(20, 2);
  Recipe recipe(preset, Precision::bf16, train, test, 2);
  const RecipeRun run = recipe(3, on_host), again = recipe(3, on_host), other = recipe(4, on_host);
  EXPECT_EQ(run.steps, 16);
  EXPECT_EQ(run.accuracy, 1);
  EXPECT_EQ(run.plain_accuracy, 1);
  EXPECT_GT(run.whitening_seconds, 0);
  EXPECT_GT(run.seconds, 0);
  EXPECT_EQ(run.loss, again.loss);
  EXPECT_NE(run.loss, other.loss);
}

TEST(GpuCheck, ReadsRecordsOfCifar) {
  const std::string file = testing::TempDir() + "/records.bin";
  std::string bytes;
  for (const char label : {'\7', '\2'}) {
    bytes += label;
    for (int i = 0; i < 3 * 1024; ++i) bytes += static_cast<char>(static_cast<uint8_t>(i / 1024 * 80 + i % 32 + label));
  }
  std::ofstream(file, std::ios::binary) << bytes;
  const PlainImages images = read_cifar({file, file});
  EXPECT_EQ(images.labels, (std::vector<int32_t>{7, 2, 7, 2}));
  ASSERT_EQ(images.pixels.size(), 4U * 3072);
  EXPECT_EQ(images.pixels[3072 + 33 * 3], 3);        // second image, second row and column: red
  EXPECT_EQ(images.pixels[3072 + 33 * 3 + 2], 163);  // blue
  std::ofstream(file, std::ios::binary) << bytes.substr(1);
  EXPECT_THROW(read_cifar({file}), Error);
  std::ofstream(file, std::ios::binary) << std::string(3073, '\n');
  EXPECT_THROW(read_cifar({file}), Error);
  EXPECT_THROW(read_cifar({file + ".absent"}), Error);
}

}  // namespace
}  // namespace lepton::cuda
