#include "train/verdict.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "metrics/metrics.h"
#include "predict/scoring.h"
#include "train/numbers.h"

namespace lepton {

namespace {

// Some of the samples, spread over all, are enough to tell.
std::vector<int64_t> some_of(std::span<const int64_t> samples) {
  constexpr size_t kEnough = 20'000;
  const size_t stride = std::max<size_t>(1, samples.size() / kEnough);
  std::vector<int64_t> some;
  for (size_t i = 0; i < samples.size(); i += stride) some.push_back(samples[i]);
  return some;
}

}  // namespace

bool answers_alike(Engine& judge, const Graph& graph, const SplitData& split, std::span<const int64_t> samples,
                   int64_t batch) {
  const std::vector<float> outputs =
      score_samples(judge, graph, graph.output(), split, some_of(samples), batch, plain_view());
  constexpr float kAlike = 1e-5F;  // of the targets' standard deviation
  const auto width = static_cast<size_t>(graph.classes);
  for (size_t i = width; i < outputs.size(); ++i) {
    if (std::abs(outputs[i] - outputs[i % width]) > kAlike) return false;
  }
  return true;
}

bool learned_nothing(Engine& judge, const Graph& graph, const SplitData& split, std::span<const int64_t> samples,
                     int64_t batch) {
  const std::vector<int64_t> some = some_of(samples);
  const std::vector<float> logits = score_samples(judge, graph, graph.output(), split, some, batch, plain_view());
  return says_nothing(softmax(logits, graph.classes), labels_of(split, some), graph.classes);
}

std::string metrics_json(const TrainState& state, const DatasetMeta& meta, int64_t val_samples) {
  nlohmann::ordered_json metrics;
  const auto add = [&](const char* split, double accuracy, int64_t n, double loss) {
    if (is_regression(meta)) {
      metrics[split]["rmse"]["value"] = root_in_units(loss, meta);
    } else {
      const Estimate e = proportion(std::llround(accuracy * static_cast<double>(n)), n);
      metrics[split]["accuracy"] = {{"value", e.value}, {"low", e.low}, {"high", e.high}};
    }
    metrics[split]["loss"]["value"] = loss;
  };
  add("train", state.train_accuracy, state.trained, state.train_loss);
  if (val_samples > 0) {
    add("val", state.best_accuracy, val_samples, state.best_loss);
    metrics["val"]["epoch"]["value"] = state.best_epoch;
  }
  return metrics.dump();
}

}  // namespace lepton
