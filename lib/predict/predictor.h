#pragma once
// A model file ready to answer: its graph, its recipe, engines for it, and its self-test.
#include <memory>
#include <string>

#include "data/model.h"
#include "data/recipe.h"
#include "engine/engine.h"

namespace lepton {

// What answers, and how.
struct Computing {
  std::string device = "auto";
  int threads = 0;  // 0 = all the process may use
  Precision precision = Precision::fp32;
  int64_t memory_limit = 0;  // bytes on a GPU; 0 = all there are
};

struct Predictor {
  Model model;
  Graph graph;
  std::shared_ptr<const Recipe> recipe;

  // Error(mismatch) when network and weights of the file do not fit each other.
  static Predictor load(const std::string& path);
  size_t sample_bytes() const;  // of one sample as stored
  bool regression() const { return !model.target_mean.empty(); }
  // Regression: outputs [n, targets] as the network gives them to the targets' own units. Else nothing.
  void to_units(std::span<float> outputs) const;
  // An engine for inference with this model's weights.
  std::unique_ptr<Engine> compile_for(int64_t batch, const Computing& how) const;
};

// Fills selftest_x and selftest_logits with four synthetic inputs (tokens below `tokens`, 0: no tokens) and the
// engine's answers to them.
void add_selftest(Model& model, Engine& engine, const Graph& graph, ElementType type, int64_t tokens);
// Largest |difference| of the engine's answers from the stored ones, over the largest |stored logit|; 0 without a test.
double selftest_error(const Predictor& predictor, Engine& engine);

}  // namespace lepton
