#pragma once
// SGD, AdamW and Muon over the flat parameter buffers; formulas: kernels/optimizer.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "cuda/muon.h"
#include "cuda/parameters.h"
#include "cuda/policy.h"
#include "cuda/sums.h"
#include "engine/engine.h"
#include "kernels/optimizer.h"

namespace lepton::cuda {

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
        muon_(policy, parameters, matrices(), tf32),
        moving_(memory_of<float>(policy, 2 * std::ssize(parameters.slots))),
        owners_(memory_of<int32_t>(policy, parameters.trained / 64)),
        sums_(memory_of<double>(policy, whole_sum_room(parameters.trained) + 1)),
        square_(sums_.template as<double>() + whole_sum_room(parameters.trained)) {
    const bool adamw = spec.kind == OptimizerKind::adamw;
    for (const char* suffix : adamw ? std::vector{".m", ".v"} : std::vector{".momentum"}) {
      states_.push_back({suffix, memory_of<float>(policy, parameters.trained)});
    }
    if (spec.ema > 0) average_ = memory_of<float>(policy, parameters.trained);
    std::vector<int32_t> owners(static_cast<size_t>(parameters.trained / 64), -1);
    for (size_t i = 0; i < parameters.slots.size(); ++i) {
      const Slot& slot = parameters.slots[i];
      if (!slot.parameter.trainable || matrix(slot)) continue;
      std::fill_n(owners.begin() + slot.offset / 64, (slot.size() + 63) / 64, static_cast<int32_t>(i));
    }
    if (!owners.empty()) policy.upload(owners_.template as<void>(), owners.data(), owners_.bytes());
  }

  // To be called once all gradients are there, for gradient_norm().
  void measure_gradient() { whole_square(parameters_.gradients.template as<float>(), parameters_.trained); }

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
    Moving moving = uploaded(settings);
    moving.of_gradients = factor;
    moving.correction1 = correction(spec_.beta1);
    moving.correction2 = correction(spec_.beta2);
    elementwise(moving);
    muon_.update(moving, spec_.momentum, spec_.nesterov, states_[0].flat.template as<float>());
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
    int64_t bytes = average_.bytes() + muon_.bytes() + moving_.bytes() + owners_.bytes() + sums_.bytes();
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
  std::vector<size_t> matrices() const {
    std::vector<size_t> found;
    for (size_t i = 0; i < parameters_.slots.size(); ++i) {
      if (matrix(parameters_.slots[i])) found.push_back(i);
    }
    return found;
  }
  float correction(float beta) const {
    return static_cast<float>(kernels::adam_correction(static_cast<double>(beta), steps_));
  }

  Moving uploaded(const StepSettings& settings) const {
    const auto count = static_cast<int64_t>(settings.rates.size());
    auto *rates = moving_.template as<float>(), *decays = rates + count;
    if (count > 0) policy_.upload(rates, settings.rates.data(), count * static_cast<int64_t>(sizeof(float)));
    if (count > 0) policy_.upload(decays, settings.decays.data(), count * static_cast<int64_t>(sizeof(float)));
    return {rates, decays};
  }

  void whole_square(const float* x, int64_t count) {
    whole_sum(policy_, count, Square{x}, sums_.template as<double>(), square_);
  }

  // All but Muon's matrices.
  void elementwise(const Moving& moving) {
    auto *w = parameters_.values.template as<float>(), *state = states_[0].flat.template as<float>();
    const auto* g = parameters_.gradients.template as<float>();
    const auto* owners = owners_.template as<int32_t>();
    if (spec_.kind == OptimizerKind::adamw) {
      const kernels::AdamW<float> rule{0, 0, spec_.beta1, spec_.beta2, spec_.epsilon, 1, 1, 1};
      auto* second = states_[1].flat.template as<float>();
      return policy_.launch(parameters_.trained, AdamWStep{rule, moving, owners, w, g, state, second});
    }
    const bool muon = spec_.kind == OptimizerKind::muon;
    const kernels::Sgd<float> rule{0, 0, muon ? spec_.other_momentum : spec_.momentum, 1, muon || spec_.nesterov};
    policy_.launch(parameters_.trained, SgdStep{rule, moving, owners, w, g, state});
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
  Muon<P> muon_;
  std::vector<State> states_;
  Memory<P> moving_, owners_;  // rates and decays; of which parameter each 64 floats are (muon.h)
  Memory<P> average_, sums_;
  double* square_;  // result of whole_square, behind the room in sums_
  int64_t steps_ = 0;
};

}  // namespace lepton::cuda
