// What a run asks of the graph alone: rates and decays of its parameters, and whether it whitens.
#include <algorithm>

#include "train/trainer.h"

namespace lepton {

bool wants_whitening(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return std::any_of(node.parameters.begin(), node.parameters.end(),
                       [](const Parameter& p) { return p.init == Init::whiten; });
  });
}

Rates rates_at(const Graph& graph, const TrainOptions& o, double progress, double epochs_done) {
  Rates result;
  const double factor = schedule_factor(o.schedule, progress);
  const bool muon = o.optimizer.kind == OptimizerKind::muon;
  for (const ParameterRef& ref : parameters_of(graph)) {
    const Parameter& p = graph.nodes[static_cast<size_t>(ref.node)].parameters[static_cast<size_t>(ref.index)];
    const bool kernel = p.role == Role::kernel;
    double lr = o.lr, decay = kernel ? o.weight_decay : 0;
    if (muon && !ref.matrix) {
      lr = kernel ? o.head_lr : o.bias_lr;
      decay = kernel ? o.head_decay : o.bias_decay;
    }
    const double share = p.epochs > 0 ? std::max(0.0, 1 - epochs_done / static_cast<double>(p.epochs)) : factor;
    result.rates.push_back(p.trainable ? static_cast<float>(lr * share * static_cast<double>(p.lr_scale)) : 0.0F);
    result.decays.push_back(p.trainable ? static_cast<float>(decay) : 0.0F);
  }
  return result;
}

}  // namespace lepton
