#pragma once
// SGD, AdamW and Muon over the flat parameter buffers; formulas: kernels/optimizer.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "cuda/parameters.h"
#include "cuda/policy.h"
#include "cuda/step.h"
#include "cuda/sums.h"
#include "engine/engine.h"
#include "kernels/optimizer.h"

namespace lepton::cuda {

// What an update reads on the device: one parameter's rate and decay, and what is the same for all.
struct Moving {
  const float *rate, *decay;
  const StepNumbers* numbers;
  const Verdict* verdict;
  LEPTON_HD bool stands() const { return verdict->go == 0; }
};

struct SgdStep {
  kernels::Sgd<float> rule;  // but for what moves
  Moving moving;
  float* w;
  const float* g;
  float* velocity;
  LEPTON_HD void operator()(int64_t i) const {
    if (moving.stands()) return;
    kernels::Sgd<float> now = rule;
    now.rate = *moving.rate, now.decay = *moving.decay, now.factor = moving.verdict->factor;
    now(w[i], g[i], velocity[i]);
  }
};

struct AdamWStep {
  kernels::AdamW<float> rule;  // but for what moves
  Moving moving;
  float* w;
  const float* g;
  float *first, *second;
  LEPTON_HD void operator()(int64_t i) const {
    if (moving.stands()) return;
    kernels::AdamW<float> now = rule;
    now.rate = *moving.rate, now.decay = *moving.decay, now.factor = moving.verdict->factor;
    now.correction1 = moving.numbers->correction1, now.correction2 = moving.numbers->correction2;
    now(w[i], g[i], first[i], second[i]);
  }
};

struct MuonMomentum {
  kernels::MuonDirection<float> rule;  // but for the factor
  Moving moving;
  const float* g;
  float *velocity, *direction;
  LEPTON_HD void operator()(int64_t i) const {
    if (moving.stands()) return;
    kernels::MuonDirection<float> now = rule;
    now.factor = moving.verdict->factor;
    direction[i] = now(g[i], velocity[i]);
  }
};

struct DivideByNorm {
  const double* square;
  float* x;
  LEPTON_HD void operator()(int64_t i) const {
    x[i] *= static_cast<float>(1 / (std::sqrt(*square) + kernels::NewtonSchulz::kEpsilon));
  }
};

struct MuonStep {
  Moving moving;
  int64_t outputs;
  const double* square;  // of w before the step
  float* w;
  const float* direction;
  LEPTON_HD void operator()(int64_t i) const {
    if (moving.stands()) return;
    const auto reset = static_cast<float>(kernels::muon_reset(std::sqrt(*square), outputs));
    kernels::MuonUpdate<float>{*moving.rate, *moving.decay, reset}(w[i], direction[i]);
  }
};

struct CopyFloat {
  const float* from;
  float* to;
  LEPTON_HD void operator()(int64_t i) const { to[i] = from[i]; }
};

struct Average {
  const Verdict* verdict;
  const float* w;
  float* average;
  float decay;
  LEPTON_HD void operator()(int64_t i) const {
    if (verdict->go != 0) average[i] = kernels::moving_average(average[i], w[i], decay);
  }
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
      states_.push_back({suffix, memory_of<float>(policy, parameters.trained)});
    }
    if (spec.ema > 0) average_ = memory_of<float>(policy, parameters.trained);
    int64_t work = 0;
    for (const Slot& slot : parameters.slots) {
      if (matrix(slot)) work = std::max(work, 2 * slot.size() + 2 * side(slot) * side(slot));
    }
    work_ = memory_of<float>(policy, work);
  }

  // To be called once all gradients are there. Returns where the square of the gradient's 2-norm over all trained
  // parameters will stand, on the device, until update(); it is not finite if any value is not.
  const double* measure_gradient() {
    whole_square(parameters_.gradients.template as<float>(), parameters_.trained);
    return square_;
  }

  // Says what the coming update reads of `numbers`.
  void prepare(StepNumbers& numbers) const {
    const auto correction = [&](float beta) {
      return static_cast<float>(kernels::adam_correction(static_cast<double>(beta), steps_ + 1));
    };
    numbers.correction1 = correction(spec_.beta1);
    numbers.correction2 = correction(spec_.beta2);
  }

  // One update, or none if the verdict is against it. moving: of the first parameter; rates and decays of the others
  // stand behind.
  void update(const Moving& moving) {
    for (size_t i = 0; i < parameters_.slots.size(); ++i) {
      const Slot& slot = parameters_.slots[i];
      if (!slot.parameter.trainable) continue;
      Moving own = moving;
      own.rate += i, own.decay += i;
      if (matrix(slot)) {
        muon(slot, own);
      } else {
        elementwise(slot, own);
      }
    }
    if (spec_.ema <= 0) return;
    const auto* values = parameters_.values.template as<float>();
    policy_.launch(parameters_.trained, Average{moving.verdict, values, average_.template as<float>(), spec_.ema});
  }

  // After an update that was done.
  void count_step() { ++steps_; }

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

  void elementwise(const Slot& slot, const Moving& moving) {
    float* w = parameters_.value(slot);
    const float* g = parameters_.gradient(slot);
    if (spec_.kind == OptimizerKind::adamw) {
      const kernels::AdamW<float> rule{0, 0, spec_.beta1, spec_.beta2, spec_.epsilon, 1, 1, 1};
      return policy_.launch(slot.size(), AdamWStep{rule, moving, w, g, state(0, slot), state(1, slot)});
    }
    const bool muon = spec_.kind == OptimizerKind::muon;
    const kernels::Sgd<float> rule{0, 0, muon ? spec_.other_momentum : spec_.momentum, 1, muon || spec_.nesterov};
    policy_.launch(slot.size(), SgdStep{rule, moving, w, g, state(0, slot)});
  }

  void muon(const Slot& slot, const Moving& moving) {
    const kernels::MuonDirection<float> direction{spec_.momentum, 1, spec_.nesterov};
    auto* x = work_.template as<float>();
    policy_.launch(slot.size(), MuonMomentum{direction, moving, parameters_.gradient(slot), state(0, slot), x});
    whole_square(x, slot.size());
    policy_.launch(slot.size(), DivideByNorm{square_, x});
    for (int round = 0; round < kernels::NewtonSchulz::kSteps; ++round) newton_schulz(slot, x);
    float* w = parameters_.value(slot);
    whole_square(w, slot.size());
    policy_.launch(slot.size(), MuonStep{moving, outputs(slot), square_, w, x});
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
    std::vector<float> host(static_cast<size_t>(parameters_.trained), 0.0F);
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
  double* square_;     // result of whole_square, behind the room in sums_
  int64_t steps_ = 0;  // updates done
};

}  // namespace lepton::cuda
