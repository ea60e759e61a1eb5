#include "engine/auto_device.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "engine/made_up_batch.h"
#include "net/parameters.h"

namespace lepton {
namespace {

constexpr int64_t kSamples = 16;

float noise(uint64_t stream, uint64_t index) { return 2 * uniform(random4(1, Stream::sample, stream, index).v[0]) - 1; }

float normal_range(const EngineOptions& options, int64_t i, int64_t channels) {
  const auto c = static_cast<size_t>(i % channels);
  const float mean = options.mean.empty() ? 0 : options.mean[c], std = options.std.empty() ? 1 : options.std[c];
  return mean + 2 * std * noise(0, static_cast<uint64_t>(i));
}

// A text's token, each text a little shorter than the one before.
int32_t text_token(const Graph& graph, int64_t i) {
  const int64_t length = graph.input[0], sample = i / length, place = i % length;
  if (place >= length - sample * length / kSamples || graph.tokens < 2) return 0;
  return static_cast<int32_t>(1 + (7 * sample + 3 * place) % (graph.tokens - 1));
}

Augment augment_of(const Shape& sample, int64_t i) {
  const auto odd = static_cast<int16_t>(i % 2), shift = static_cast<int16_t>(i % 3 - 1);
  if (sample.rank() == 3) return {.dy = shift, .dx = 1, .flip = odd == 1};
  Augment a{.cut_x = 0, .cut_w = odd, .noise = 0.1F, .key = static_cast<uint64_t>(i)};
  if (sample.rank() == 2) a.dy = shift;
  return a;
}

// Texts where the graph reads tokens, images where the shape has rank 3, rows else, in the range that the normalisation
// expects.
MadeUpBatch made_up(const Graph& graph, const EngineOptions& options) {
  MadeUpBatch batch;
  batch.n = std::min(kSamples, options.batch);
  const int64_t channels = graph.input[graph.input.rank() - 1];
  const bool image = graph.input.rank() == 3;
  for (int64_t i = 0; i < batch.n * graph.input.elements(); ++i) {
    if (graph.tokens > 0) {
      batch.tokens.push_back(text_token(graph, i));
    } else if (image) {
      batch.images.push_back(static_cast<uint8_t>(std::clamp(normal_range(options, i, channels), 0.0F, 255.0F)));
    } else {
      batch.rows.push_back(normal_range(options, i, channels));
    }
  }
  for (int64_t i = 0; i < batch.n; ++i) {
    if (options.loss == LossKind::cross_entropy) batch.labels.push_back(static_cast<int32_t>(i % graph.classes));
    if (graph.tokens == 0) batch.augment.push_back(augment_of(graph.input, i));
  }
  if (options.loss == LossKind::mse) {
    for (int64_t i = 0; i < batch.n * graph.classes; ++i) {
      batch.targets.push_back(noise(2, static_cast<uint64_t>(i)));
    }
  }
  return batch;
}

// Initial values moved a little, so that no 0 or 1 hides a mistake.
ParameterSet moved_parameters(const Graph& graph) {
  ParameterSet set = initial_parameters(graph, 1);
  for (NamedTensor& tensor : set.tensors) {
    float largest = 0;
    for (const float v : tensor.values) largest = std::max(largest, std::abs(v));
    const float width = largest > 0 ? largest / 8 : 0.1F;
    for (size_t i = 0; i < tensor.values.size(); ++i) tensor.values[i] += width * noise(1, i);
  }
  return set;
}

double norm_of(const std::vector<float>& values) {
  double square = 0;
  for (const float v : values) square += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(square);
}

// `least` is the least that a value counts as.
double apart(const std::vector<float>& values, const std::vector<float>& expected, double least = 1e-12) {
  std::vector<float> difference(expected);
  for (size_t i = 0; i < difference.size(); ++i) difference[i] -= values[i];
  return norm_of(difference) / std::max(norm_of(expected), least * std::sqrt(static_cast<double>(expected.size())));
}

double loss_apart(double loss, double expected) {
  return std::abs(loss - expected) / std::max(1.0, std::abs(expected));
}

double answers_apart(const Graph& graph, const Batch& batch, Engine& engine, Engine& expected) {
  std::vector<float> values(static_cast<size_t>(batch.n * graph.classes)), right(values.size());
  engine.infer(batch, graph.output(), values);
  expected.infer(batch, graph.output(), right);
  return apart(values, right);
}

bool holds_gradient(const NamedTensor& tensor) {
  return tensor.name.ends_with(".momentum") || tensor.name.ends_with(".m");
}

// Gradients that are 0 but for rounding are judged by the largest of all.
void compare_gradients(const ParameterSet& saved, const ParameterSet& right, Distances& found) {
  double least = 1e-12;
  for (const NamedTensor& tensor : right.tensors) {
    if (!holds_gradient(tensor)) continue;
    const auto count = static_cast<double>(tensor.values.size());
    least = std::max(least, 0.1 * norm_of(tensor.values) / std::sqrt(count));
  }
  for (const NamedTensor& tensor : right.tensors) {
    if (!holds_gradient(tensor)) continue;
    const double distance = apart(saved.at(tensor.name).values, tensor.values, least);
    if (distance <= found.gradients) continue;  // what is not a number goes on
    found.gradients = distance;
    found.worst_gradient = tensor.name;
    if (std::isnan(distance)) return;
  }
}

void compare_steps(const Graph& graph, const Batch& batch, Engine& engine, Engine& expected, Distances& found) {
  const std::vector<float> rates(parameters_of(graph).size(), 1e-3F);
  const std::vector<float> decays(rates.size(), 0.0F);
  StepSettings settings;
  settings.rates = rates;
  settings.decays = decays;
  found.loss = loss_apart(engine.train_step(batch, settings).loss, expected.train_step(batch, settings).loss);
  compare_gradients(engine.save(), expected.save(), found);
  settings.step = 1;
  found.next_loss = loss_apart(engine.train_step(batch, settings).loss, expected.train_step(batch, settings).loss);
  found.next_answers = answers_apart(graph, batch, engine, expected);
}

}  // namespace

Distances distances(const Graph& graph, const EngineOptions& options, Engine& engine, Engine& expected) {
  const MadeUpBatch samples = made_up(graph, options);
  const Batch batch = samples.view();
  const ParameterSet parameters = moved_parameters(graph);
  engine.load(parameters);
  expected.load(parameters);
  Distances found;
  found.answers = answers_apart(graph, batch, engine, expected);
  if (options.training) compare_steps(graph, batch, engine, expected, found);
  return found;
}

// Winograd loses two digits of fp32 on the way through a deep network. In 16 bits, activations near 0 and equal values
// in a pool's window choose otherwise, which gradients show most; what is wrong has nothing to do with what is
// expected, and leaves it by 1 or more.
std::string disagreement(const Distances& found, Precision precision) {
  const bool exact = precision == Precision::fp32;
  const double answers = exact ? 0.01 : 0.1, gradients = exact ? 0.01 : 0.8;
  const auto beyond = [](double distance, double bound) { return !(distance <= bound); };  // NaN is
  if (beyond(found.answers, answers)) return fmt::format("answers off by {:.2g}", found.answers);
  if (beyond(found.loss, answers)) return fmt::format("loss off by {:.2g}", found.loss);
  if (beyond(found.gradients, gradients)) {
    return fmt::format("{} off by {:.2g}", found.worst_gradient, found.gradients);
  }
  if (beyond(found.next_loss, answers)) return fmt::format("loss after a step off by {:.2g}", found.next_loss);
  if (beyond(found.next_answers, 2 * answers)) {
    return fmt::format("answers after a step off by {:.2g}", found.next_answers);
  }
  return {};
}

std::unique_ptr<Engine> AutoDevice::compile(const Graph& graph, const EngineOptions& options, const Compile& gpu,
                                            const Compile& cpu) {
  if (!warning_.empty()) return cpu(graph, options);
  try {
    std::unique_ptr<Engine> engine = gpu(graph, options);
    EngineOptions small = options;
    small.batch = std::min(kSamples, options.batch);
    small.precision = Precision::fp32;
    const std::unique_ptr<Engine> judge = cpu(graph, small);
    const std::string found = disagreement(distances(graph, options, *engine, *judge), options.precision);
    if (found.empty()) return engine;
    warning_ =
        fmt::format("the GPU computes otherwise than the CPU ({}) and is not used; --device cuda insists", found);
  } catch (const Error& error) {
    if (error.status() != Exit::device) throw;
    warning_ = fmt::format("the GPU is not used: {}", error.what());
  }
  return cpu(graph, options);
}

AutoDevice& auto_device() {
  static AutoDevice the_one;
  return the_one;
}

}  // namespace lepton
