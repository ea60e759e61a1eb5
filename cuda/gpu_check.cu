// The harness of scripts/gpu-check: needs the CUDA engine, graph and reference engine of this tree, and nothing else.
//   gpu_check [--small] [--json FILE] [--runs N]
// --small: a few rows a precision, for compute-sanitizer. Ends with 1 if a row failed, 8 without a GPU.
#include "cuda/gpu_check.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cuda/device_engines.h"
#include "net/parameters.h"
#include "net/presets.h"
#include "net/summary.h"

namespace lepton::cuda {
namespace {

using Json = nlohmann::ordered_json;

struct Ceilings {
  double bytes = 0, fp32 = 0, tf32 = 0, bf16 = 0, fp16 = 0;  // a second
};

struct CheckOptions {
  bool small = false;
  std::string json;
  int runs = 5;
};

constexpr std::string_view kSmall[] = {"add_project", "augmented", "embed_deep", "dwconv_stride", "mse_weighted"};

const char* name_of(Precision precision) { return kPrecisionNames[static_cast<size_t>(precision)]; }

std::unique_ptr<Engine> on_gpu(const Graph& graph, const EngineOptions& options) {
  return make_engine(std::make_unique<DevicePolicy>(0), graph, options);
}

int check_layers(bool small, Json& json) {
  int failed = 0;
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
    int rows = 0;
    Distances worst;
    for (const LayerCase& row : kLayerCases) {
      if (small && std::ranges::find(kSmall, std::string_view(row.name)) == std::end(kSmall)) continue;
      const CaseResult result = check_case(row, precision, on_gpu);
      const Distances& d = result.distances;
      ++rows;
      failed += result.passed ? 0 : 1;
      worst.answers = std::max(worst.answers, d.answers);
      worst.gradients = std::max(worst.gradients, d.gradients);
      json["layers"].push_back({{"case", result.name},
                                {"precision", name_of(precision)},
                                {"answers", d.answers},
                                {"gradients", d.gradients},
                                {"passed", result.passed}});
      if (!result.passed) {
        std::cout << fmt::format("FAILED\t{}\t{}\tanswers {:.2g}\tloss {:.2g}\tgradients {:.2g} ({})\n", result.name,
                                 name_of(precision), d.answers, d.loss, d.gradients, d.worst_gradient);
      }
    }
    std::cout << fmt::format("layers\t{}\t{} rows\tworst answers {:.2g}\tworst gradients {:.2g}\n", name_of(precision),
                             rows, worst.answers, worst.gradients);
  }
  return failed;
}

Ceilings measure_ceilings(Json& json) {
  DevicePolicy policy(0);
  std::cout << policy.describe() << "\n";
  Ceilings c;
  c.bytes = copy_ceiling(policy, int64_t{1} << 28, 20);
  c.fp32 = product_ceiling(policy, 4096, Type::fp32, false, 10);
  c.tf32 = product_ceiling(policy, 8192, Type::fp32, true, 10);
  c.bf16 = product_ceiling(policy, 8192, Type::bf16, false, 20);
  c.fp16 = product_ceiling(policy, 8192, Type::fp16, false, 20);
  std::cout << fmt::format("ceilings\tcopy {:.2f} TB/s\tfp32 {:.0f}\ttf32 {:.0f}\tbf16 {:.0f}\tfp16 {:.0f} TFLOP/s\n",
                           c.bytes / 1e12, c.fp32 / 1e12, c.tf32 / 1e12, c.bf16 / 1e12, c.fp16 / 1e12);
  json["device"] = policy.describe();
  json["ceilings"] = {{"bytes", c.bytes}, {"fp32", c.fp32}, {"tf32", c.tf32}, {"bf16", c.bf16}, {"fp16", c.fp16}};
  return c;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Least time of a layer's training passes: its products, or reading input and gradient and writing output and gradient
// once each.
double bound_ms(const Graph& graph, const Summary& summary, NodeId id, int64_t batch, const Ceilings& c) {
  const Node& node = graph.nodes[static_cast<size_t>(id)];
  int64_t elements = node.shape.elements();
  for (const NodeId input : node.inputs) elements += graph.nodes[static_cast<size_t>(input)].shape.elements();
  const bool product = node.kind == LayerKind::conv || node.kind == LayerKind::dense;
  const auto n = static_cast<double>(batch);
  const double flops = product ? 3 * n * static_cast<double>(summary.rows[static_cast<size_t>(id)].flops) : 0;
  return 1e3 * std::max(flops / c.bf16, 2.0 * 2 * n * static_cast<double>(elements) / c.bytes);
}

void print_layers(const Graph& graph, const Speed& speed, int64_t batch, const Ceilings& c, Json& json) {
  const Summary summary = summarize(graph, batch);
  for (const LayerTime& t : speed.layers) {
    const double bound = bound_ms(graph, summary, t.node, batch, c);
    const std::string& name = graph.nodes[static_cast<size_t>(t.node)].name;
    if (t.forward_ms + t.backward_ms == 0) continue;  // computed with another
    std::cout << fmt::format("layer\t{}\t{:.3f}\t{:.3f} ms\tbound {:.3f} ms\n", name, t.forward_ms, t.backward_ms,
                             bound);
    json["layer_times"].push_back(
        {{"layer", name}, {"forward_ms", t.forward_ms}, {"backward_ms", t.backward_ms}, {"bound_ms", bound}});
  }
}

void measure_nets(const CheckOptions& check, const Ceilings& ceilings, Json& json) {
  const std::pair<const char*, int64_t> nets[] = {
      {"textbook", 1024}, {"cnn6", 1024}, {"resnet9", 1024}, {"speed94", 2000}};
  for (const auto& [net, batch] : nets) {
    const Graph graph = build_graph(find_preset(net)->net, {32, 32, 3}, 10);
    const ParameterSet parameters = initial_parameters(graph, 1);
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
      EngineOptions options;
      options.batch = batch;
      options.training = true;
      options.precision = precision;
      options.mean = {125, 123, 114};
      options.std = {63, 62, 67};
      const int steps = precision == Precision::fp32 ? 10 : 30;
      const Speed speed = measure_training(graph, options, on_gpu, check.runs, steps, parameters);
      const auto [least, most] = std::minmax_element(speed.images_per_second.begin(), speed.images_per_second.end());
      std::cout << fmt::format("train\t{}\t{}\tbatch {}\t{:.0f} images/s\t({:.0f} to {:.0f})\n", net,
                               name_of(precision), batch, median(speed.images_per_second), *least, *most);
      Json row = {{"net", net},
                  {"precision", name_of(precision)},
                  {"batch", batch},
                  {"images_per_second", speed.images_per_second}};
      if (precision == Precision::bf16) print_layers(graph, speed, batch, ceilings, row);
      json["training"].push_back(row);
    }
  }
}

int run(const CheckOptions& options) {
  Json json;
  const int failed = check_layers(options.small, json);
  if (!options.small) measure_nets(options, measure_ceilings(json), json);
  json["failed"] = failed;
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    if (!(file << json.dump(1) << "\n")) fail(Exit::output, "cannot write {}", options.json);
  }
  std::cout << (failed == 0 ? "every row passed\n" : fmt::format("{} rows FAILED\n", failed));
  return failed == 0 ? 0 : 1;
}

CheckOptions parsed(int count, char** arguments) {
  CheckOptions options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--small") {
      options.small = true;
    } else if (argument == "--json" && i + 1 < count) {
      options.json = arguments[++i];
    } else if (argument == "--runs" && i + 1 < count) {
      options.runs = std::max(1, std::atoi(arguments[++i]));
    } else {
      fail(Exit::usage, "gpu_check [--small] [--json FILE] [--runs N]");
    }
  }
  return options;
}

}  // namespace
}  // namespace lepton::cuda

int main(int count, char** arguments) {
  try {
    return lepton::cuda::run(lepton::cuda::parsed(count, arguments));
  } catch (const lepton::Error& error) {
    std::cerr << "gpu_check: " << error.what() << "\n";
    return static_cast<int>(error.status());
  }
}
