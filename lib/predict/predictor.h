#pragma once
// A model file ready to answer: its graph, its recipe, engines for it, and its self-test.
#include <memory>
#include <string>

#include "data/model.h"
#include "data/recipe.h"
#include "engine/engine.h"

namespace lepton {

struct Predictor {
  Model model;
  Graph graph;
  Recipe recipe;

  // Error(mismatch) when network and weights of the file do not fit each other.
  static Predictor load(const std::string& path);
  // An engine for inference with this model's weights.
  std::unique_ptr<Engine> compile_for(int64_t batch, const std::string& device, int threads) const;
};

// Fills selftest_x and selftest_logits with four synthetic inputs and the engine's answers to them.
void add_selftest(Model& model, Engine& engine, const Graph& graph);
// Largest |difference| of the engine's answers from the stored ones, over the largest |stored logit|; 0 without a test.
double selftest_error(const Model& model, Engine& engine, const Graph& graph);

}  // namespace lepton
