#include "engine/reference/parameters.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/optimizer.h"
#include "kernels/reduce.h"

namespace lepton::reference {
namespace {

double square_sum(const Values& values) {
  return kernels::reduce<double>(static_cast<int64_t>(values.size()), [&](int64_t i) {
    const double value = values[static_cast<size_t>(i)];
    return value * value;
  });
}

Values read(const NamedTensor& tensor, const Shape& shape) {
  if (!(tensor.shape == shape) || static_cast<int64_t>(tensor.values.size()) != shape.elements()) {
    fail(Exit::mismatch, "reference: {} has shape {}, the network wants {}", tensor.name, tensor.shape.to_string(),
         shape.to_string());
  }
  return {tensor.values.begin(), tensor.values.end()};
}

NamedTensor written(const Slot& slot, const char* suffix, const Values& values) {
  NamedTensor tensor{slot.ref.name + suffix, slot.parameter.shape, {}};
  for (const double value : values) tensor.values.push_back(static_cast<float>(value));
  return tensor;
}

// One Newton-Schulz step of X [rows, columns], rows <= columns.
void newton_schulz(Values& x, size_t rows, size_t columns) {
  Values a(rows * rows, 0.0), b(rows * rows), next(x.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < rows; ++j) {
      for (size_t k = 0; k < columns; ++k) a[i * rows + j] += x[i * columns + k] * x[j * columns + k];
    }
  }
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < rows; ++j) {
      double square = 0;
      for (size_t k = 0; k < rows; ++k) square += a[i * rows + k] * a[k * rows + j];
      b[i * rows + j] = kernels::NewtonSchulz::kB * a[i * rows + j] + kernels::NewtonSchulz::kC * square;
    }
  }
  for (size_t i = 0; i < rows; ++i) {
    for (size_t k = 0; k < columns; ++k) {
      double total = kernels::NewtonSchulz::kA * x[i * columns + k];
      for (size_t j = 0; j < rows; ++j) total += b[i * rows + j] * x[j * columns + k];
      next[i * columns + k] = total;
    }
  }
  x = next;
}

Values transposed(const Values& x, size_t rows, size_t columns) {
  Values result(x.size());
  for (size_t i = 0; i < x.size(); ++i) result[i % columns * rows + i / columns] = x[i];
  return result;
}

// Nearly the orthogonal factor of a kernel [inputs, outputs].
Values orthogonalized(Values x, size_t inputs, size_t outputs) {
  const double norm = std::sqrt(square_sum(x)) + kernels::NewtonSchulz::kEpsilon;
  for (double& value : x) value /= norm;
  const bool tall = inputs > outputs;
  if (tall) x = transposed(x, inputs, outputs);
  for (int step = 0; step < kernels::NewtonSchulz::kSteps; ++step) {
    newton_schulz(x, std::min(inputs, outputs), std::max(inputs, outputs));
  }
  return tall ? transposed(x, outputs, inputs) : x;
}

}  // namespace

Parameters::Parameters(const Graph& graph, const OptimizerSpec& spec, bool training)
    : spec_(spec), training_(training) {
  for (ParameterRef& ref : parameters_of(graph)) {
    Slot slot;
    slot.parameter = graph.nodes[static_cast<size_t>(ref.node)].parameters[static_cast<size_t>(ref.index)];
    slot.ref = std::move(ref);
    slot.value.assign(static_cast<size_t>(slot.parameter.shape.elements()), 0.0);
    slot.gradient.assign(training ? slot.value.size() : 0, 0.0);
    slots.push_back(std::move(slot));
  }
}

std::vector<Parameters::State> Parameters::states() const {
  std::vector<State> result;
  if (!training_) return result;
  if (spec_.kind == OptimizerKind::adamw) {
    result = {{".m", &Slot::first}, {".v", &Slot::second}};
  } else {
    result = {{".momentum", &Slot::momentum}};
  }
  if (spec_.ema > 0) result.push_back({".ema", &Slot::average});
  return result;
}

Slot* Parameters::find(NodeId node, Role role) {
  for (Slot& slot : slots) {
    if (slot.ref.node == node && slot.parameter.role == role) return &slot;
  }
  return nullptr;
}

void Parameters::clear_gradients() {
  for (Slot& slot : slots) std::fill(slot.gradient.begin(), slot.gradient.end(), 0.0);
}

double Parameters::gradient_norm() const {
  double total = 0;
  for (const Slot& slot : slots) {
    if (slot.parameter.trainable) total += square_sum(slot.gradient);
  }
  return std::sqrt(total);
}

void Parameters::update(const StepSettings& settings, double factor) {
  if (settings.rates.size() != slots.size() || settings.decays.size() != slots.size()) {
    fail(Exit::bug, "reference: {} rates and {} decays for {} parameters", settings.rates.size(),
         settings.decays.size(), slots.size());
  }
  ++steps_;
  for (size_t i = 0; i < slots.size(); ++i) {
    Slot& slot = slots[i];
    if (!slot.parameter.trainable) continue;
    const auto rate = static_cast<double>(settings.rates[i]), decay = static_cast<double>(settings.decays[i]);
    const std::vector<bool> moves = moved(slot);
    if (spec_.kind == OptimizerKind::muon && slot.ref.matrix) {
      muon(slot, rate, decay, factor);
    } else {
      elementwise(slot, moves, rate, decay, factor);
    }
    for (size_t k = 0; k < slot.average.size(); ++k) {
      if (!moves[k]) continue;
      slot.average[k] = kernels::moving_average(slot.average[k], slot.value[k], static_cast<double>(spec_.ema));
    }
  }
}

// Of each value whether an update moves it: of a table only the rows of the batch's tokens, never that of padding.
std::vector<bool> Parameters::moved(const Slot& slot) {
  std::vector<bool> moves(slot.value.size(), slot.parameter.role != Role::table);
  if (slot.parameter.role != Role::table) return moves;
  const int64_t width = slot.parameter.shape[1];
  for (const int32_t token : slot.tokens) {
    if (token != 0) std::fill_n(moves.begin() + token * width, width, true);
  }
  return moves;
}

void Parameters::elementwise(Slot& slot, const std::vector<bool>& moves, double rate, double decay,
                             double factor) const {
  if (spec_.kind == OptimizerKind::adamw) {
    const auto beta1 = static_cast<double>(spec_.beta1), beta2 = static_cast<double>(spec_.beta2);
    const kernels::AdamW<double> adamw{rate,
                                       decay,
                                       beta1,
                                       beta2,
                                       static_cast<double>(spec_.epsilon),
                                       factor,
                                       kernels::adam_correction(beta1, steps_),
                                       kernels::adam_correction(beta2, steps_)};
    for (size_t i = 0; i < slot.value.size(); ++i) {
      if (moves[i]) adamw(slot.value[i], slot.gradient[i], slot.first[i], slot.second[i]);
    }
    return;
  }
  const bool muon = spec_.kind == OptimizerKind::muon;
  const auto momentum = static_cast<double>(muon ? spec_.other_momentum : spec_.momentum);
  const kernels::Sgd<double> sgd{rate, decay, momentum, factor, muon || spec_.nesterov};
  for (size_t i = 0; i < slot.value.size(); ++i) {
    if (moves[i]) sgd(slot.value[i], slot.gradient[i], slot.momentum[i]);
  }
}

void Parameters::muon(Slot& slot, double rate, double decay, double factor) const {
  const kernels::MuonDirection<double> direction{static_cast<double>(spec_.momentum), factor, spec_.nesterov};
  Values u(slot.value.size());
  for (size_t i = 0; i < u.size(); ++i) u[i] = direction(slot.gradient[i], slot.momentum[i]);
  const Shape& shape = slot.parameter.shape;
  const int64_t outputs = shape[shape.rank() - 1];
  u = orthogonalized(std::move(u), static_cast<size_t>(shape.elements() / outputs), static_cast<size_t>(outputs));
  const kernels::MuonUpdate<double> update{rate, decay,
                                           kernels::muon_reset(std::sqrt(square_sum(slot.value)), outputs)};
  for (size_t i = 0; i < u.size(); ++i) update(slot.value[i], u[i]);
}

void Parameters::load(const ParameterSet& set) {
  for (Slot& slot : slots) {
    slot.value = read(set.at(slot.ref.name), slot.parameter.shape);
    if (!slot.parameter.trainable) continue;
    for (const State& state : states()) {
      const NamedTensor* tensor = set.find(slot.ref.name + state.suffix);
      Values& values = slot.*state.values;
      if (tensor != nullptr) {
        values = read(*tensor, slot.parameter.shape);
      } else if (state.values == &Slot::average) {
        values = slot.value;
      } else {
        values.assign(slot.value.size(), 0.0);
      }
    }
  }
  const NamedTensor* steps = set.find("optimizer.steps");
  steps_ = steps == nullptr || steps->values.empty() ? 0 : static_cast<int64_t>(steps->values[0]);
}

ParameterSet Parameters::save() const {
  ParameterSet set;
  for (const Slot& slot : slots) set.tensors.push_back(written(slot, "", slot.value));
  if (!training_) return set;
  for (const State& state : states()) {
    for (const Slot& slot : slots) {
      if (slot.parameter.trainable) set.tensors.push_back(written(slot, state.suffix, slot.*state.values));
    }
  }
  set.tensors.push_back({"optimizer.steps", {1}, {static_cast<float>(steps_)}});
  return set;
}

int64_t Parameters::bytes() const {
  size_t count = 0;
  for (const Slot& slot : slots) {
    for (const Values* values :
         {&slot.value, &slot.gradient, &slot.momentum, &slot.first, &slot.second, &slot.average}) {
      count += values->size();
    }
  }
  return static_cast<int64_t>(count * sizeof(double));
}

}  // namespace lepton::reference
