// bench_engine NET BATCH train|infer|latency fp32|bf16|int8 [DUMP]: one engine for scripts/bench. Prints "ready" once
// warm; then each line "S" on standard input is answered by images a second over S seconds, or the median microseconds
// of one call (latency). With BENCH_VERBOSE set, what the engine is and each layer's time go to standard error. DUMP
// receives what a peer needs to do the same: weights, inputs, and what came out of them.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/text.h"
#include "engine/engine.h"
#include "net/graph.h"
#include "net/parameters.h"
#include "net/presets.h"
#include "predict/ranges.h"

namespace {

using namespace lepton;
using Clock = std::chrono::steady_clock;

constexpr int64_t kClasses = 10, kSteps = 3;  // steps whose loss is compared
const Shape kInput{32, 32, 3};

// A file of plain tensors: a line of JSON that names them, then their numbers.
class Dump {
 public:
  template <class T>
  void add(const std::string& name, const char* type, const std::vector<int64_t>& shape, const std::vector<T>& values) {
    json_["tensors"].push_back({{"name", name}, {"dtype", type}, {"shape", shape}});
    const auto* bytes = reinterpret_cast<const char*>(values.data());
    bytes_.insert(bytes_.end(), bytes, bytes + values.size() * sizeof(T));
  }
  void add(const NamedTensor& tensor) {
    std::vector<int64_t> shape;
    for (int axis = 0; axis < tensor.shape.rank(); ++axis) shape.push_back(tensor.shape[axis]);
    add(tensor.name, "float32", shape, tensor.values);
  }
  void write(const std::string& path) const {
    std::ofstream out(path, std::ios::binary);
    out << json_.dump() << '\n';
    out.write(bytes_.data(), std::ssize(bytes_));
    if (!out.flush()) fail(Exit::output, "{}: cannot be written", path);
  }

 private:
  nlohmann::ordered_json json_;
  std::vector<char> bytes_;
};

class Bench {
 public:
  Bench(const std::string& net, int64_t batch, const std::string& mode, const std::string& precision)
      : muon_(net == "speed94"), mode_(mode) {
    const Preset* preset = find_preset(net);
    graph_ = build_graph(preset == nullptr ? net : preset->net, kInput, kClasses);
    options_.batch = batch;
    options_.training = mode == "train";
    options_.precision = parse_precision(precision).value_or(Precision::fp32);
    options_.mean = {125, 123, 114};
    options_.std = {63, 62, 67};
    options_.optimizer.kind = muon_ ? OptimizerKind::muon : OptimizerKind::sgd;
    images_.resize(static_cast<size_t>(batch * kInput.elements()));
    labels_.resize(static_cast<size_t>(batch));
    for (size_t i = 0; i < images_.size(); ++i)
      images_[i] = static_cast<uint8_t>(random4(1, Stream::sample, 0, i).v[0]);
    for (size_t i = 0; i < labels_.size(); ++i) labels_[i] = static_cast<int32_t>(i % kClasses);
    logits_.resize(labels_.size() * static_cast<size_t>(kClasses));
    refs_ = parameters_of(graph_);
    for (const ParameterRef& ref : refs_) rates_.push_back(muon_ && ref.matrix ? 0.01F : 1e-3F);
    decays_.assign(refs_.size(), 5e-4F);
    weights_ = initial_parameters(graph_, 1);
    fill_whitening();
    if (options_.precision == Precision::int8) measure_ranges();
    engine_ = compile_cpu(graph_, options_, nullptr);
    engine_->load(weights_);
  }

  void warm_up(const std::string& dump) {
    std::vector<float> losses;
    for (int64_t i = 0; i < kSteps; ++i) losses.push_back(once());
    if (dump.empty()) return;
    Dump file;
    for (const NamedTensor& tensor : weights_.tensors) file.add(tensor);
    file.add("images", "uint8", {options_.batch, kInput[0], kInput[1], kInput[2]}, images_);
    file.add("labels", "int32", {options_.batch}, labels_);
    file.add("mean", "float32", {3}, options_.mean);
    file.add("std", "float32", {3}, options_.std);
    if (options_.training) file.add("losses", "float32", {kSteps}, losses);
    if (!options_.training) file.add("logits", "float32", {options_.batch, kClasses}, logits_);
    file.write(dump);
  }

  double measure(double seconds) {
    std::vector<double> times;
    double passed = 0;
    for (const auto begun = Clock::now(); times.empty() || passed < seconds;) {
      const auto call = Clock::now();
      once();
      const auto now = Clock::now();
      times.push_back(std::chrono::duration<double>(now - call).count());
      passed = std::chrono::duration<double>(now - begun).count();
    }
    if (mode_ != "latency") return static_cast<double>(std::ssize(times) * options_.batch) / passed;
    std::nth_element(times.begin(), times.begin() + std::ssize(times) / 2, times.end());
    return 1e6 * times[times.size() / 2];
  }

  // The engine, and milliseconds of each layer, forward and backward: the least of several.
  std::string describe() {
    constexpr int kTimes = 9;
    std::vector<LayerTime> least = engine_->profile(batch());
    for (int i = 1; i < kTimes; ++i) {
      const std::vector<LayerTime> times = engine_->profile(batch());
      for (size_t k = 0; k < least.size(); ++k) {
        least[k].forward_ms = std::min(least[k].forward_ms, times[k].forward_ms);
        least[k].backward_ms = std::min(least[k].backward_ms, times[k].backward_ms);
      }
    }
    std::string text = engine_->describe();
    for (const LayerTime& time : least) {
      text += fmt::format("  {:14} {:8.3f} {:8.3f} ms\n", graph_.nodes[static_cast<size_t>(time.node)].name,
                          time.forward_ms, time.backward_ms);
    }
    return text;
  }

 private:
  void measure_ranges() {
    EngineOptions exact = options_;
    exact.precision = Precision::fp32;
    const std::unique_ptr<Engine> engine = compile_cpu(graph_, exact, nullptr);
    engine->load(weights_);
    Batch batch;
    batch.n = options_.batch;
    batch.images = images_;
    RangeFinder finder(graph_);
    finder.see(*engine, batch);
    options_.ranges = ranges_of_nodes(graph_, finder.ranges());
  }

  // Random filters in place of those that training would take from data.
  void fill_whitening() {
    for (size_t p = 0; p < refs_.size(); ++p) {
      const Node& node = graph_.nodes[static_cast<size_t>(refs_[p].node)];
      if (node.parameters[static_cast<size_t>(refs_[p].index)].init != Init::whiten) continue;
      std::vector<float>& values = weights_.tensors[p].values;
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<float>(random4(2, Stream::sample, 0, i).v[0]) / static_cast<float>(1U << 31) - 1;
      }
    }
  }

  Batch batch() const {
    Batch batch;
    batch.n = options_.batch;
    batch.images = images_;
    batch.labels = labels_;
    return batch;
  }

  float once() {
    if (!options_.training) return engine_->infer(batch(), graph_.output(), logits_), 0.0F;
    StepSettings settings;
    settings.rates = rates_;
    settings.decays = decays_;
    const StepResult result = engine_->train_step(batch(), settings);
    if (!result.finite) fail(Exit::failed, "bench_engine: the step was not finite");
    return static_cast<float>(result.loss);
  }

  bool muon_;
  std::string mode_;
  Graph graph_;
  EngineOptions options_;
  std::vector<uint8_t> images_;
  std::vector<int32_t> labels_;
  std::vector<float> logits_, rates_, decays_;
  std::vector<ParameterRef> refs_;
  ParameterSet weights_;
  std::unique_ptr<Engine> engine_;
};

void run(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const auto batch = args.size() > 1 ? parse_int(args[1]) : std::nullopt;
  const auto known = [](const std::string& word, std::initializer_list<const char*> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (args.size() < 4 || args.size() > 5 || !batch || *batch < 1 || !known(args[2], {"train", "infer", "latency"}) ||
      !known(args[3], {"fp32", "bf16", "int8"})) {
    fail(Exit::usage, "usage: bench_engine NET BATCH train|infer|latency fp32|bf16|int8 [DUMP]");
  }
  Bench bench(args[0], *batch, args[2], args[3]);
  bench.warm_up(args.size() > 4 ? args[4] : "");
  if (std::getenv("BENCH_VERBOSE") != nullptr) fmt::print(stderr, "{}", bench.describe());
  fmt::print("ready\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    fmt::print("{:.6g}\n", bench.measure(parse_double(line).value_or(1)));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
    return 0;
  } catch (const lepton::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.status());
  }
}
