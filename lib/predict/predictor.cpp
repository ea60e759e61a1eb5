#include "predict/predictor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "net/parameters.h"
#include "predict/decision.h"
#include "predict/scoring.h"

namespace lepton {
namespace {

constexpr size_t kSelftestSamples = 4;

void store(ElementType type, float value, std::vector<uint8_t>& bytes, size_t at) {
  if (type == ElementType::u8) bytes[at] = static_cast<uint8_t>(value);
  if (type == ElementType::f32) std::memcpy(bytes.data() + at * sizeof value, &value, sizeof value);
  const auto token = static_cast<int32_t>(value);
  if (type == ElementType::i32) std::memcpy(bytes.data() + at * sizeof token, &token, sizeof token);
}

// Answers to selftest_x, whose numbers stand for stored values of `type`.
std::vector<float> answers(const Model& model, Engine& engine, const Graph& graph, ElementType type) {
  const auto elements = static_cast<size_t>(graph.input.elements()), classes = static_cast<size_t>(graph.classes);
  const size_t n = model.selftest_x.size() / elements;
  std::vector<float> logits(n * classes);
  std::vector<uint8_t> stored(elements * element_size(type));
  for (size_t i = 0; i < n; ++i) {
    for (size_t e = 0; e < elements; ++e) store(type, model.selftest_x[i * elements + e], stored, e);
    engine.infer(batch_of(type, 1, stored, {}), graph.output(), std::span(logits).subspan(i * classes, classes));
  }
  return logits;
}

}  // namespace

Predictor Predictor::load(const std::string& path) {
  Predictor p;
  p.model = read_model(path);
  p.recipe = read_recipe(p.model.recipe, p.model.parts);
  try {
    p.graph = build_graph(p.model.net, p.model.input, static_cast<int64_t>(p.model.classes.size()), p.recipe->tokens());
    check_parameters(p.model.weights, p.graph);
  } catch (const Error& error) {
    fail(Exit::mismatch, "{}: the model's network: {}", path, error.what());
  }
  if (!(p.recipe->sample_shape() == p.graph.input)) {
    fail(Exit::mismatch, "{}: its recipe makes {} and its network takes {}", path, p.recipe->sample_shape().to_string(),
         p.graph.input.to_string());
  }
  return p;
}

std::unique_ptr<Engine> Predictor::compile_for(int64_t batch, const Computing& how) const {
  EngineOptions options;
  options.batch = batch;
  options.threads = how.threads;
  options.precision = how.precision;
  options.memory_limit = how.memory_limit;
  options.mean = model.mean;
  options.std = model.std;
  if (how.precision == Precision::int8) {
    const auto ranges = read_calibration(model).int8;
    if (!ranges) {
      fail(Exit::mismatch,
           "the model holds no ranges for int8; lepton-eval MODEL.h5 DATA.h5 --precision int8 --write measures and "
           "stores them");
    }
    options.ranges = ranges_of_nodes(graph, *ranges);
  }
  std::unique_ptr<Engine> engine = compile(graph, how.device, options);
  engine->load(model.weights);
  return engine;
}

size_t Predictor::sample_bytes() const {
  return static_cast<size_t>(graph.input.elements()) * element_size(recipe->type());
}

void Predictor::to_units(std::span<float> outputs) const {
  const size_t targets = model.target_mean.size();
  for (size_t i = 0; targets > 0 && i < outputs.size(); ++i) {
    outputs[i] = outputs[i] * model.target_std[i % targets] + model.target_mean[i % targets];
  }
}

void add_selftest(Model& model, Engine& engine, const Graph& graph, ElementType type, int64_t tokens) {
  const auto elements = static_cast<size_t>(graph.input.elements());
  model.selftest_x.resize(kSelftestSamples * elements);
  for (size_t i = 0; i < model.selftest_x.size(); ++i) {
    const uint32_t random = random4(0, Stream::sample, 0, i).v[0];
    if (type == ElementType::u8) model.selftest_x[i] = static_cast<float>(random >> 24);
    if (type == ElementType::i32) model.selftest_x[i] = static_cast<float>(random % static_cast<uint32_t>(tokens));
    if (type == ElementType::f32) {  // within two standard deviations
      const size_t column = model.mean.empty() ? 0 : i % model.mean.size();
      const float mean = model.mean.empty() ? 0 : model.mean[column], std = model.std.empty() ? 1 : model.std[column];
      model.selftest_x[i] = mean + std * (static_cast<float>(random >> 8) / (1U << 22) - 2);
    }
  }
  model.selftest_logits = answers(model, engine, graph, type);
}

double selftest_error(const Predictor& predictor, Engine& engine) {
  const Model& model = predictor.model;
  if (model.selftest_x.empty()) return 0;
  const std::vector<float> now = answers(model, engine, predictor.graph, predictor.recipe->type());
  double worst = 0, scale = 1e-6;
  for (size_t i = 0; i < now.size(); ++i) {
    scale = std::max(scale, std::abs(static_cast<double>(model.selftest_logits[i])));
    worst = std::max(worst, std::abs(static_cast<double>(now[i]) - static_cast<double>(model.selftest_logits[i])));
  }
  return worst / scale;
}

}  // namespace lepton
