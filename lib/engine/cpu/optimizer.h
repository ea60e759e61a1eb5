#pragma once
// SGD, AdamW and Muon over the flat parameter buffers.
#include <oneapi/dnnl/dnnl.hpp>

#include "engine/cpu/parameters.h"
#include "engine/engine.h"

namespace lepton::cpu {

class Optimizer {
 public:
  Optimizer(const OptimizerSpec& spec, Parameters& parameters);

  // 2-norm of the gradient over all trained parameters; not finite if any value is not.
  double gradient_norm() const;
  // One update; gradients are multiplied by `factor` (clipping).
  void update(const StepSettings& settings, float factor);

  void save(ParameterSet& set) const;  // appends the state
  void load(const ParameterSet& set);  // takes what it finds; absent state starts afresh
  int64_t bytes() const;

 private:
  struct State {
    const char* suffix;
    AlignedFloats flat;
  };
  // A kernel as the matrix [inputs, outputs] and the way there and back.
  struct Matrix {
    size_t slot = 0;
    int64_t rows = 0, columns = 0;
    dnnl::reorder out, in;
    dnnl::memory inner_gradient, plain;
  };
  bool matrix(const Slot& slot) const { return spec_.kind == OptimizerKind::muon && slot.ref.matrix; }
  // What one step does to one parameter.
  struct Rule {
    float rate, decay, factor, momentum;
    bool nesterov;
    float c1, c2;  // AdamW's bias corrections
  };
  Rule rule_of(float rate, float decay, float factor) const;
  void take(int64_t at, const float* g, int64_t floats, const Rule& rule);
  void elementwise(const Slot& slot, const Rule& rule);
  void table(const Slot& slot, const Rule& rule);  // the rows that occur, and their averages
  double square_sum(const float* values, int64_t count) const;
  void muon(Matrix& m, float rate, float decay, float factor);

  OptimizerSpec spec_;
  Parameters& parameters_;
  std::vector<State> states_;
  AlignedFloats ema_;
  std::vector<Matrix> matrices_;
  AlignedFloats work_;  // of Newton-Schulz
  int64_t steps_ = 0;
  mutable std::vector<double> partial_;
};

}  // namespace lepton::cpu
