#pragma once
// Parameters, their gradients and the optimiser's state as plain doubles.
#include <span>
#include <vector>

#include "base/tensor.h"
#include "engine/engine.h"
#include "engine/reference/layers.h"
#include "net/graph.h"

namespace lepton::reference {

// One parameter of the graph with what belongs to it. Unused state stays empty.
struct Slot {
  ParameterRef ref;
  Parameter parameter;
  Values value, gradient;
  Values momentum;                  // sgd, muon
  Values first, second;             // adamw
  Values average;                   // ema
  std::span<const int32_t> tokens;  // table: those of the batch, whose rows alone an update moves
};

// In the order of parameters_of(graph), filled with zeros.
class Parameters {
 public:
  Parameters(const Graph& graph, const OptimizerSpec& spec, bool training);

  Slot* find(NodeId node, Role role);  // nullptr if the node has none
  void clear_gradients();
  // 2-norm over all trained parameters.
  double gradient_norm() const;
  // One update; gradients are multiplied by `factor` first. Formulas: kernels/optimizer.h.
  void update(const StepSettings& settings, double factor);

  void load(const ParameterSet& set);
  ParameterSet save() const;
  int64_t bytes() const;

  std::vector<Slot> slots;

 private:
  struct State {
    const char* suffix;
    Values Slot::* values;
  };
  std::vector<State> states() const;
  static std::vector<bool> moved(const Slot& slot);
  void elementwise(Slot& slot, const std::vector<bool>& moves, double rate, double decay, double factor) const;
  void muon(Slot& slot, double rate, double decay, double factor) const;

  OptimizerSpec spec_;
  bool training_;
  int64_t steps_ = 0;
};

}  // namespace lepton::reference
