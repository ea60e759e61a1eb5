// The harness of scripts/gpu-check: needs the CUDA engine, graph and reference engine of this tree, and nothing else.
//   gpu_check [--small] [--json FILE] [--runs N] [--data DIRECTORY]
// --small: a few rows a precision, for compute-sanitizer. DIRECTORY: CIFAR-10's binary files, data_batch*.bin and
// test_batch.bin, or the first records of each; N times the speed94 recipe on them. Ends with 1 if a row failed, 8
// without a GPU.
#include "cuda/gpu_check.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cuda/conv_tripled.h"
#include "cuda/device_engines.h"
#include "cuda/gpu_run.h"
#include "cuda/plan_check.h"
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
  std::string json, data;
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

template <class T>
int check_plans(bool tf32, Json& json) {
  const ConvShape shapes[] = {{5, 7, 24, 5, 7, 64, 3, 3, 1, 1, 1, 1, 1},
                              {7, 5, 3, 6, 4, 5, 3, 3, 1, 1, 1, 1, 1},
                              {4, 4, 128, 3, 3, 40, 3, 3, 1, 1, 1, 1, 1}};
  DevicePolicy policy(0);
  int failed = 0;
  double worst = 0;
  const auto check = [&](ConvPlan<DevicePolicy, T>& plan, const ConvShape& shape) {
    const double off = plan_deviation<DevicePolicy, T>(plan, policy, shape, 5);
    failed += off <= most_deviation<T>(tf32) ? 0 : 1;
    worst = std::max(worst, off);
  };
  for (const ConvShape& shape : shapes) {
    for (const int64_t chunk : {2, 5}) {
      Im2colPlan<DevicePolicy, T> windows(shape, chunk, tf32);
      TripledPlan<DevicePolicy, T> rows(shape, chunk, tf32);
      check(windows, shape);
      check(rows, shape);
    }
  }
  const char* name = kTypeOf<T> == Type::bf16 ? "bf16" : kTypeOf<T> == Type::fp16 ? "fp16" : tf32 ? "tf32" : "fp32";
  std::cout << fmt::format("plans\t{}\tworst {:.2g}\t{} FAILED\n", name, worst, failed);
  json["plans"].push_back({{"precision", name}, {"worst", worst}, {"failed", failed}});
  return failed;
}

int check_replays(Json& json) {
  const auto plain = [](const Graph& graph, const EngineOptions& options) {
    return make_engine(std::make_unique<DevicePolicy>(0, false), graph, options);
  };
  int failed = 0;
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
    const bool passed = replays_as_plain(precision, on_gpu, plain);
    failed += passed ? 0 : 1;
    std::cout << fmt::format("replayed steps\t{}\t{}\n", name_of(precision), passed ? "as plain ones" : "FAILED");
    json["replays"].push_back({{"precision", name_of(precision)}, {"passed", passed}});
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

struct Spread {
  double mean = 0, deviation = 0;  // of a sample
};

Spread spread(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Spread s;
  for (const double v : values) s.mean += v / n;
  for (const double v : values) s.deviation += (v - s.mean) * (v - s.mean) / std::max(1.0, n - 1);
  s.deviation = std::sqrt(s.deviation);
  return s;
}

std::pair<PlainImages, PlainImages> read_data(const std::string& directory) {
  std::vector<std::string> train;
  std::error_code unreadable;  // then there are no files
  for (const auto& entry : std::filesystem::directory_iterator(directory, unreadable)) {
    if (entry.path().filename().string().starts_with("data_batch")) train.push_back(entry.path().string());
  }
  std::sort(train.begin(), train.end());
  if (train.empty()) fail(Exit::no_input, "{}: no data_batch*.bin", directory);
  return {read_cifar(train), read_cifar({directory + "/test_batch.bin"})};
}

// Time by the rule of the record runs: from the first step to the last answer with test-time views, the engine warmed
// up. Cold: from the start of this program's reading of the data to the first run's last answer.
void run_recipe(const CheckOptions& check, Json& json) {
  std::vector<double> accuracies, plain, seconds, with_whitening;
  const auto begun = std::chrono::steady_clock::now();
  const auto [train, test] = read_data(check.data);
  Recipe recipe(*find_preset("speed94"), Precision::bf16, train, test, 10);
  double cold = 0;
  for (int i = 0; i < check.runs; ++i) {
    const RecipeRun r = recipe(static_cast<uint64_t>(i), on_gpu);
    if (i == 0) cold = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    accuracies.push_back(r.accuracy);
    plain.push_back(r.plain_accuracy);
    seconds.push_back(r.seconds);
    with_whitening.push_back(r.seconds + r.whitening_seconds);
  }
  const Spread a = spread(accuracies), p = spread(plain), s = spread(seconds), w = spread(with_whitening);
  std::cout << fmt::format("recipe\tspeed94\tbf16\t{} train {} test images{}\t{} runs\n", train.size(), test.size(),
                           train.size() == 50000 && test.size() == 10000 ? "" : " (a subset)", check.runs);
  std::cout << fmt::format("recipe\taccuracy\t{:.4f} +- {:.4f}\twithout views {:.4f} +- {:.4f}\n", a.mean, a.deviation,
                           p.mean, p.deviation);
  std::cout << fmt::format("recipe\tseconds\t{:.3f} +- {:.3f}\twith whitening {:.3f} +- {:.3f}\tcold {:.3f}\n", s.mean,
                           s.deviation, w.mean, w.deviation, cold);
  json["recipe"] = {{"net", "speed94"},
                    {"precision", "bf16"},
                    {"train_images", train.size()},
                    {"test_images", test.size()},
                    {"accuracy", accuracies},
                    {"accuracy_without_views", plain},
                    {"seconds", seconds},
                    {"seconds_with_whitening", with_whitening},
                    {"cold_seconds", cold}};
}

int run(const CheckOptions& options) {
  Json json;
  // First, so that cold is cold.
  if (!options.small && !options.data.empty()) run_recipe(options, json);
  int failed = check_layers(options.small, json);
  failed += check_plans<float>(false, json) + check_plans<float>(true, json);
  failed += check_plans<Bf16>(false, json) + check_plans<Half>(false, json);
  failed += check_replays(json);
  if (!options.small) measure_nets(options, measure_ceilings(json), json);
  json["failed"] = failed;
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    if (!(file << json.dump(1) << "\n")) fail(Exit::output, "cannot write {}", options.json);
  }
  std::cout << (failed == 0 ? "every row passed\n" : fmt::format("{} FAILED\n", failed));
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
    } else if (argument == "--data" && i + 1 < count) {
      options.data = arguments[++i];
    } else if (argument == "--runs" && i + 1 < count) {
      options.runs = std::max(1, std::atoi(arguments[++i]));
    } else {
      fail(Exit::usage, "gpu_check [--small] [--json FILE] [--runs N] [--data DIRECTORY]");
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
