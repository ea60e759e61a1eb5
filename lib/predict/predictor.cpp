#include "predict/predictor.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "net/parameters.h"

namespace lepton {
namespace {

constexpr int64_t kSelftestSamples = 4;

std::vector<float> answers(const Model& model, Engine& engine, const Graph& graph) {
  const auto elements = static_cast<size_t>(graph.input.elements()), classes = static_cast<size_t>(graph.classes);
  const size_t n = model.selftest_x.size() / elements;
  std::vector<float> logits(n * classes);
  std::vector<uint8_t> image(elements);
  for (size_t i = 0; i < n; ++i) {
    std::transform(model.selftest_x.begin() + static_cast<int64_t>(i * elements),
                   model.selftest_x.begin() + static_cast<int64_t>((i + 1) * elements), image.begin(),
                   [](float v) { return static_cast<uint8_t>(v); });
    Batch batch;
    batch.n = 1;
    batch.images = image;
    engine.infer(batch, graph.output(), std::span(logits).subspan(i * classes, classes));
  }
  return logits;
}

}  // namespace

Predictor Predictor::load(const std::string& path) {
  Predictor p;
  p.model = read_model(path);
  try {
    p.graph = build_graph(p.model.net, p.model.input, static_cast<int64_t>(p.model.classes.size()));
    check_parameters(p.model.weights, p.graph);
  } catch (const Error& error) {
    fail(Exit::mismatch, "{}: the model's network: {}", path, error.what());
  }
  p.recipe = Recipe::from_json(p.model.recipe);
  if (!(p.recipe.sample_shape() == p.graph.input)) {
    fail(Exit::mismatch, "{}: its recipe makes {} and its network takes {}", path, p.recipe.sample_shape().to_string(),
         p.graph.input.to_string());
  }
  return p;
}

std::unique_ptr<Engine> Predictor::compile_for(int64_t batch, const std::string& device, int threads) const {
  EngineOptions options;
  options.batch = batch;
  options.threads = threads;
  options.mean = model.mean;
  options.std = model.std;
  std::unique_ptr<Engine> engine = compile(graph, device, options);
  engine->load(model.weights);
  return engine;
}

void add_selftest(Model& model, Engine& engine, const Graph& graph) {
  const int64_t elements = graph.input.elements();
  model.selftest_x.resize(static_cast<size_t>(kSelftestSamples * elements));
  for (size_t i = 0; i < model.selftest_x.size(); ++i) {
    model.selftest_x[i] = static_cast<float>(random4(0, Stream::sample, 0, i).v[0] >> 24);
  }
  model.selftest_logits = answers(model, engine, graph);
}

double selftest_error(const Model& model, Engine& engine, const Graph& graph) {
  if (model.selftest_x.empty()) return 0;
  const std::vector<float> now = answers(model, engine, graph);
  double worst = 0, scale = 1e-6;
  for (size_t i = 0; i < now.size(); ++i) {
    scale = std::max(scale, std::abs(static_cast<double>(model.selftest_logits[i])));
    worst = std::max(worst, std::abs(static_cast<double>(now[i]) - static_cast<double>(model.selftest_logits[i])));
  }
  return worst / scale;
}

}  // namespace lepton
