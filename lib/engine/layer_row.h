#pragma once
// A row of layer_cases.h with everything a test's step needs.
#include <vector>

#include "engine/engine_testing.h"
#include "engine/layer_cases.h"

namespace lepton {

class Row {
 public:
  explicit Row(const LayerCase& row)
      : graph(build_graph(row.net, row.input, kCaseClasses, row.tokens)),
        parameters(test_parameters(graph)),
        samples(row.input, row.batch, kCaseClasses, 1, row.tokens),
        steps_(graph, 0, 0) {
    if (row.augmented) samples.augment(row.input);
    if (row.weighted) samples.weigh();
    if (row.targets) samples.aim();
    steps_.label_smoothing = row.smoothing;
    steps_.sum_loss = row.sum_loss;
    options.loss = row.targets ? LossKind::mse : LossKind::cross_entropy;
    options.batch = row.room;
    options.threads = 1;  // many small layers; engine_test.cpp runs several threads
    options.seed = 7;
    options.training = true;
    options.optimizer.momentum = 0;
    options.optimizer.nesterov = false;
    if (row.tokens == 0) set_normalization(row.input, options);
  }

  // With every rate and momentum 0, a step leaves the gradients in the optimiser's momentum, and weights as they were.
  StepResult step(Engine& engine) const { return steps_(engine, samples.batch(), 3); }

  std::vector<float> infer(Engine& engine, NodeId node) const {
    const int64_t elements = graph.nodes[static_cast<size_t>(node)].shape.elements();
    std::vector<float> values(static_cast<size_t>(samples.batch().n * elements));
    engine.infer(samples.batch(), node, values);
    return values;
  }

  const Graph graph;
  const ParameterSet parameters;
  TestSamples samples;
  EngineOptions options;

 private:
  TestSteps steps_;
};

}  // namespace lepton
