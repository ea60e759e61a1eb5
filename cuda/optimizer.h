#pragma once
// SGD, AdamW and Muon over the flat parameter buffers; formulas: kernels/optimizer.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "cuda/muon.h"
#include "cuda/parameters.h"
#include "cuda/policy.h"
#include "cuda/step.h"
#include "cuda/sums.h"
#include "engine/engine.h"
#include "kernels/optimizer.h"

namespace lepton::cuda {

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
        muon_(policy, parameters, matrices(), tf32),
        owners_(memory_of<int32_t>(policy, parameters.trained / 64)),
        sums_(memory_of<double>(policy, whole_sum_room(parameters.trained) + 1)),
        square_(sums_.template as<double>() + whole_sum_room(parameters.trained)) {
    const bool adamw = spec.kind == OptimizerKind::adamw;
    for (const char* suffix : adamw ? std::vector{".m", ".v"} : std::vector{".momentum"}) {
      states_.push_back({suffix, memory_of<float>(policy, parameters.stateful)});
    }
    if (spec.ema > 0) average_ = memory_of<float>(policy, parameters.stateful);
    std::vector<int32_t> owners(static_cast<size_t>(parameters.trained / 64), -1);
    for (size_t i = 0; i < parameters.slots.size(); ++i) {
      const Slot& slot = parameters.slots[i];
      if (!slot.parameter.trainable || slot.table() || matrix(slot)) continue;
      std::fill_n(owners.begin() + slot.offset / 64, (slot.size() + 63) / 64, static_cast<int32_t>(i));
    }
    if (!owners.empty()) policy.upload(owners_.template as<void>(), owners.data(), owners_.bytes());
  }

  // To be called once all gradients are there. Returns where the square of the gradient's 2-norm over all trained
  // parameters will stand, on the device, until update(); it is not finite if any value is not.
  const double* measure_gradient() {
    whole_square(parameters_.gradients.template as<float>(), parameters_.trained);
    if (parameters_.table) parameters_.table->add_square(square_);
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

  // One update, or none if the verdict is against it.
  void update(const Moving& moving) {
    elementwise(moving);
    muon_.update(moving, spec_.momentum, spec_.nesterov, states_[0].flat.template as<float>());
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

 private:
  struct State {
    const char* suffix;
    Memory<P> flat;
  };

  bool matrix(const Slot& slot) const {
    return spec_.kind == OptimizerKind::muon && slot.ref.matrix && slot.parameter.trainable;
  }
  std::vector<size_t> matrices() const {
    std::vector<size_t> found;
    for (size_t i = 0; i < parameters_.slots.size(); ++i) {
      if (matrix(parameters_.slots[i])) found.push_back(i);
    }
    return found;
  }

  void whole_square(const float* x, int64_t count) {
    whole_sum(policy_, count, Square{x}, sums_.template as<double>(), square_);
  }

  // All but Muon's matrices; of a table the rows that the batch holds, and their averages with them.
  void elementwise(const Moving& moving) {
    auto *w = parameters_.values.template as<float>(), *state = states_[0].flat.template as<float>();
    const auto* g = parameters_.gradients.template as<float>();
    const auto* owners = owners_.template as<int32_t>();
    if (spec_.kind == OptimizerKind::adamw) {
      const kernels::AdamW<float> rule{0, 0, spec_.beta1, spec_.beta2, spec_.epsilon, 1, 1, 1};
      auto* second = states_[1].flat.template as<float>();
      return take(AdamWStep{rule, moving, owners, w, g, state, second});
    }
    const bool muon = spec_.kind == OptimizerKind::muon;
    const kernels::Sgd<float> rule{0, 0, muon ? spec_.other_momentum : spec_.momentum, 1, muon || spec_.nesterov};
    take(SgdStep{rule, moving, owners, w, g, state});
  }

  template <class Step>
  void take(const Step& step) {
    policy_.launch(parameters_.trained, step);
    if (!parameters_.table) return;
    const auto table = std::find_if(parameters_.slots.begin(), parameters_.slots.end(),
                                    [](const Slot& slot) { return slot.table() && slot.parameter.trainable; });
    float* average = spec_.ema > 0 ? average_.template as<float>() : nullptr;
    parameters_.table->update(step, static_cast<int32_t>(table - parameters_.slots.begin()), table->offset, average,
                              spec_.ema);
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
  Muon<P> muon_;
  std::vector<State> states_;
  Memory<P> owners_;  // of which parameter each 64 floats are (muon.h)
  Memory<P> average_, sums_;
  double* square_;     // result of whole_square, behind the room in sums_
  int64_t steps_ = 0;  // updates done
};

}  // namespace lepton::cuda
