#pragma once
// SGD, AdamW and Muon over the flat parameter buffers; formulas: kernels/optimizer.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "cuda/parameters.h"
#include "cuda/policy.h"
#include "cuda/sums.h"
#include "engine/engine.h"
#include "kernels/optimizer.h"

namespace lepton::cuda {

struct SgdStep {
  kernels::Sgd<float> rule;
  float* w;
  const float* g;
  float* velocity;
  LEPTON_HD void take(int64_t i, float gradient) const { rule(w[i], gradient, velocity[i]); }
  LEPTON_HD void operator()(int64_t i) const { take(i, g[i]); }
};

struct AdamWStep {
  kernels::AdamW<float> rule;
  float* w;
  const float* g;
  float *first, *second;
  LEPTON_HD void take(int64_t i, float gradient) const { rule(w[i], gradient, first[i], second[i]); }
  LEPTON_HD void operator()(int64_t i) const { take(i, g[i]); }
};

struct MuonMomentum {
  kernels::MuonDirection<float> rule;
  const float* g;
  float *velocity, *direction;
  LEPTON_HD void operator()(int64_t i) const { direction[i] = rule(g[i], velocity[i]); }
};

struct DivideByNorm {
  const double* square;
  float* x;
  LEPTON_HD void operator()(int64_t i) const {
    x[i] *= static_cast<float>(1 / (std::sqrt(*square) + kernels::NewtonSchulz::kEpsilon));
  }
};

struct MuonStep {
  float rate, decay;
  int64_t outputs;
  const double* square;  // of w before the step
  float* w;
  const float* direction;
  LEPTON_HD void operator()(int64_t i) const {
    const auto reset = static_cast<float>(kernels::muon_reset(std::sqrt(*square), outputs));
    kernels::MuonUpdate<float>{rate, decay, reset}(w[i], direction[i]);
  }
};

struct CopyFloat {
  const float* from;
  float* to;
  LEPTON_HD void operator()(int64_t i) const { to[i] = from[i]; }
};

struct Average {
  const float* w;
  float* average;
  float decay;
  LEPTON_HD void operator()(int64_t i) const { average[i] = kernels::moving_average(average[i], w[i], decay); }
};

template <class P>
class Optimizer {
 public:
  Optimizer(P& policy, const OptimizerSpec& spec, Parameters<P>& parameters, bool tf32)
      : policy_(policy),
        spec_(spec),
        parameters_(parameters),
        tf32_(tf32),
        sums_(memory_of<double>(policy, whole_sum_room(parameters.trained) + 1)),
        square_(sums_.template as<double>() + whole_sum_room(parameters.trained)) {
    const bool adamw = spec.kind == OptimizerKind::adamw;
    for (const char* suffix : adamw ? std::vector{".m", ".v"} : std::vector{".momentum"}) {
      states_.push_back({suffix, memory_of<float>(policy, parameters.stateful)});
    }
    if (spec.ema > 0) average_ = memory_of<float>(policy, parameters.stateful);
    int64_t work = 0;
    for (const Slot& slot : parameters.slots) {
      if (matrix(slot)) work = std::max(work, 2 * slot.size() + 2 * side(slot) * side(slot));
    }
    work_ = memory_of<float>(policy, work);
  }

  // To be called once all gradients are there, for gradient_norm().
  void measure_gradient() {
    whole_square(parameters_.gradients.template as<float>(), parameters_.trained);
    if (parameters_.table) parameters_.table->add_square(square_);
  }

  // 2-norm of the gradient over all trained parameters; not finite if any value is not.
  double gradient_norm() const {
    double square = 0;
    policy_.download(&square, square_, sizeof(square));
    return std::sqrt(square);
  }

  // One update; gradients are multiplied by `factor` (clipping).
  void update(const StepSettings& settings, float factor) {
    const size_t count = parameters_.slots.size();
    if (settings.rates.size() != count || settings.decays.size() != count) {
      fail(Exit::bug, "cuda: {} rates and {} decays for {} parameters", settings.rates.size(), settings.decays.size(),
           count);
    }
    ++steps_;
    for (size_t i = 0; i < count; ++i) {
      const Slot& slot = parameters_.slots[i];
      if (!slot.parameter.trainable) continue;
      if (matrix(slot)) {
        muon(slot, settings.rates[i], settings.decays[i], factor);
      } else {
        elementwise(slot, settings.rates[i], settings.decays[i], factor);
      }
    }
    if (spec_.ema <= 0) return;
    const auto* values = parameters_.values.template as<float>();
    policy_.launch(parameters_.trained, Average{values, average_.template as<float>(), spec_.ema});
  }

  void save(ParameterSet& set) const {
    for (const State& state : states_) save(set, state.flat, state.suffix);
    if (spec_.ema > 0) save(set, average_, ".ema");
    set.tensors.push_back({"optimizer.steps", {1}, {static_cast<float>(steps_)}});
  }

  // Takes what it finds; absent state starts afresh, absent averages at the parameters.
  void load(const ParameterSet& set) {
    const NamedTensor* steps = set.find("optimizer.steps");
    steps_ = steps == nullptr || steps->values.empty() ? 0 : static_cast<int64_t>(steps->values[0]);
    for (const State& state : states_) load(set, state.flat, state.suffix, false);
    if (spec_.ema > 0) load(set, average_, ".ema", true);
  }

  int64_t bytes() const {
    int64_t bytes = average_.bytes() + work_.bytes() + sums_.bytes();
    for (const State& state : states_) bytes += state.flat.bytes();
    return bytes;
  }

 private:
  struct State {
    const char* suffix;
    Memory<P> flat;
  };

  bool matrix(const Slot& slot) const {
    return spec_.kind == OptimizerKind::muon && slot.ref.matrix && slot.parameter.trainable;
  }
  static int64_t outputs(const Slot& slot) { return slot.parameter.shape[slot.parameter.shape.rank() - 1]; }
  static int64_t side(const Slot& slot) { return std::min(outputs(slot), slot.size() / outputs(slot)); }
  float* state(size_t which, const Slot& slot) const { return states_[which].flat.template as<float>() + slot.offset; }

  void whole_square(const float* x, int64_t count) {
    whole_sum(policy_, count, Square{x}, sums_.template as<double>(), square_);
  }

  void elementwise(const Slot& slot, float rate, float decay, float factor) {
    float* w = parameters_.value(slot);
    const float* g = slot.table() ? nullptr : parameters_.gradient(slot);
    if (spec_.kind == OptimizerKind::adamw) {
      const auto c1 = static_cast<float>(kernels::adam_correction(static_cast<double>(spec_.beta1), steps_));
      const auto c2 = static_cast<float>(kernels::adam_correction(static_cast<double>(spec_.beta2), steps_));
      const kernels::AdamW<float> rule{rate, decay, spec_.beta1, spec_.beta2, spec_.epsilon, factor, c1, c2};
      return take(slot, AdamWStep{rule, w, g, state(0, slot), state(1, slot)});
    }
    const bool muon = spec_.kind == OptimizerKind::muon;
    const kernels::Sgd<float> rule{rate, decay, muon ? spec_.other_momentum : spec_.momentum, factor,
                                   muon || spec_.nesterov};
    take(slot, SgdStep{rule, w, g, state(0, slot)});
  }

  // Of a table only the rows that the batch holds, and their averages with them.
  template <class Step>
  void take(const Slot& slot, const Step& step) {
    if (!slot.table()) return policy_.launch(slot.size(), step);
    float* average = spec_.ema > 0 ? average_.template as<float>() + slot.offset : nullptr;
    parameters_.table->update(step, parameters_.value(slot), average, spec_.ema);
  }

  void muon(const Slot& slot, float rate, float decay, float factor) {
    const kernels::MuonDirection<float> direction{spec_.momentum, factor, spec_.nesterov};
    auto* x = work_.template as<float>();
    policy_.launch(slot.size(), MuonMomentum{direction, parameters_.gradient(slot), state(0, slot), x});
    whole_square(x, slot.size());
    policy_.launch(slot.size(), DivideByNorm{square_, x});
    for (int round = 0; round < kernels::NewtonSchulz::kSteps; ++round) newton_schulz(slot, x);
    float* w = parameters_.value(slot);
    whole_square(w, slot.size());
    policy_.launch(slot.size(), MuonStep{rate, decay, outputs(slot), square_, w, x});
  }

  // X <- a X + (b A + c A A) X, X being column-major [outputs, inputs]; A is X's square on its shorter side.
  void newton_schulz(const Slot& slot, float* x) {
    using Steps = kernels::NewtonSchulz;
    const int64_t rows = outputs(slot), columns = slot.size() / rows, s = side(slot);
    const bool left = rows <= columns;  // A = X X^T, else X^T X
    float *next = x + slot.size(), *a = next + slot.size(), *b = a + s * s;
    Gemm square{!left, left, s, s, left ? columns : rows, x, rows, x, rows, a, s};
    square.tf32 = tf32_;
    policy_.gemm(square);
    policy_.launch(s * s, CopyFloat{a, b});
    Gemm fourth{false, false, s, s, s, a, s, a, s, b, s, static_cast<float>(Steps::kC), static_cast<float>(Steps::kB)};
    fourth.tf32 = tf32_;
    policy_.gemm(fourth);
    policy_.launch(slot.size(), CopyFloat{x, next});
    Gemm last{false,
              false,
              rows,
              columns,
              s,
              left ? b : x,
              rows,
              left ? x : b,
              s,
              next,
              rows,
              1,
              static_cast<float>(Steps::kA)};
    last.tf32 = tf32_;
    policy_.gemm(last);
    policy_.launch(slot.size(), CopyFloat{next, x});
  }

  void save(ParameterSet& set, const Memory<P>& flat, const char* suffix) const {
    const std::vector<float> host = parameters_.fetched(flat);
    for (const Slot& slot : parameters_.slots) {
      if (slot.parameter.trainable) set.tensors.push_back(plain(slot, host, suffix));
    }
  }

  void load(const ParameterSet& set, const Memory<P>& flat, const char* suffix, bool from_parameters) {
    std::vector<float> host(static_cast<size_t>(parameters_.stateful), 0.0F);
    for (const Slot& slot : parameters_.slots) {
      if (!slot.parameter.trainable) continue;
      const NamedTensor* found = set.find(slot.ref.name + suffix);
      if (found == nullptr && from_parameters) found = &set.at(slot.ref.name);
      if (found != nullptr) set_plain(slot, host, *found);
    }
    parameters_.put(flat, host);
  }

  P& policy_;
  OptimizerSpec spec_;
  Parameters<P>& parameters_;
  bool tf32_;  // Muon's products may be in TF32
  std::vector<State> states_;
  Memory<P> average_, work_, sums_;
  double* square_;  // result of whole_square, behind the room in sums_
  int64_t steps_ = 0;
};

}  // namespace lepton::cuda
