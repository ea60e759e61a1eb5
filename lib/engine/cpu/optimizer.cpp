#include "engine/cpu/optimizer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/cpu/gemm.h"
#include "engine/cpu/simd.h"
#include "kernels/optimizer.h"

namespace lepton::cpu {
namespace {

constexpr int64_t kChunk = 1 << 15;  // floats a task; fixed, so that sums do not depend on the number of threads

int64_t square_of_largest(int64_t rows, int64_t columns) { return std::min(rows, columns) * std::min(rows, columns); }

}  // namespace

Optimizer::Optimizer(const OptimizerSpec& spec, Parameters& parameters) : spec_(spec), parameters_(parameters) {
  if (spec.kind == OptimizerKind::adamw) {
    states_.push_back({".m", AlignedFloats(parameters.whole)});
    states_.push_back({".v", AlignedFloats(parameters.whole)});
  } else {
    states_.push_back({".momentum", AlignedFloats(parameters.whole)});
  }
  if (spec.ema > 0) ema_ = AlignedFloats(parameters.whole);
  int64_t work = 0;
  for (size_t i = 0; i < parameters.slots.size(); ++i) {
    const Slot& slot = parameters.slots[i];
    if (!matrix(slot) || !slot.parameter.trainable) continue;
    Matrix m;
    m.slot = i;
    const Shape& s = slot.parameter.shape;
    m.columns = s[s.rank() - 1];
    m.rows = s.elements() / m.columns;
    work = std::max(work, 2 * s.elements() + 2 * square_of_largest(m.rows, m.columns));
    matrices_.push_back(m);
  }
  if (work > 0) work_ = AlignedFloats(work + 3 * 16);
  for (Matrix& m : matrices_) {
    const Slot& slot = parameters.slots[m.slot];
    if (!slot.packing.conv) continue;
    m.inner_gradient = dnnl::memory(*slot.packing.conv, dnnl_engine(), parameters.gradient(slot));
    m.plain = dnnl::memory(plain_conv(*slot.packing.conv), dnnl_engine(), work_.data());
    m.out = dnnl::reorder(m.inner_gradient, m.plain);
    m.in = dnnl::reorder(m.plain, m.inner_gradient);
  }
}

double Optimizer::gradient_norm() const {
  double total = 0;
  for (const Slot& slot : parameters_.slots) {
    if (!slot.parameter.trainable) continue;
    if (!Parameters::is_table(slot)) {
      total += square_sum(parameters_.gradient(slot), slot.packing.size);
      continue;
    }
    const TableGradient& table = parameters_.table;
    total += square_sum(table.rows.data(), static_cast<int64_t>(table.tokens.size()) * table.width);
  }
  return std::sqrt(total);
}

double Optimizer::square_sum(const float* values, int64_t count) const {
  const int64_t chunks = (count + kChunk - 1) / kChunk;
  partial_.assign(static_cast<size_t>(chunks), 0.0);
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < chunks; ++c) {
    const int64_t floats = std::min(kChunk, count - c * kChunk);
    partial_[static_cast<size_t>(c)] = simd().square_sum(values + c * kChunk, floats / simd().lanes);
  }
  double total = 0;
  for (const double part : partial_) total += part;
  return total;
}

void Optimizer::update(const StepSettings& settings, float factor) {
  const size_t count = parameters_.slots.size();
  if (settings.rates.size() != count || settings.decays.size() != count) {
    fail(Exit::bug, "cpu: {} rates and {} decays for {} parameters", settings.rates.size(), settings.decays.size(),
         count);
  }
  ++steps_;
  for (Matrix& m : matrices_) muon(m, settings.rates[m.slot], settings.decays[m.slot], factor);
  for (size_t i = 0; i < count; ++i) {
    const Slot& slot = parameters_.slots[i];
    if (!slot.parameter.trainable || matrix(slot)) continue;
    const Rule rule = rule_of(settings.rates[i], settings.decays[i], factor);
    if (Parameters::is_table(slot)) {
      table(slot, rule);
    } else {
      elementwise(slot, rule);
    }
  }
  if (spec_.ema <= 0) return;
  const int64_t chunks = (parameters_.total + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < chunks; ++c) {
    const int64_t at = c * kChunk, floats = std::min(kChunk, parameters_.total - at);
    simd().average(ema_.data() + at, parameters_.values.data() + at, floats / simd().lanes, spec_.ema);
  }
}

Optimizer::Rule Optimizer::rule_of(float rate, float decay, float factor) const {
  const bool muon = spec_.kind == OptimizerKind::muon;
  return {rate,
          decay,
          factor,
          muon ? spec_.other_momentum : spec_.momentum,
          muon || spec_.nesterov,
          static_cast<float>(kernels::adam_correction(static_cast<double>(spec_.beta1), steps_)),
          static_cast<float>(kernels::adam_correction(static_cast<double>(spec_.beta2), steps_))};
}

// `floats` consecutive values from `at` on in the flat buffers, with gradient g.
void Optimizer::take(int64_t at, const float* g, int64_t floats, const Rule& rule) {
  const int64_t rows = floats / simd().lanes;
  float *w = parameters_.values.data() + at, *first = states_[0].flat.data() + at;
  if (spec_.kind == OptimizerKind::adamw) {
    simd().adamw(w, g, first, states_[1].flat.data() + at, rows, rule.rate, rule.decay, spec_.beta1, spec_.beta2,
                 spec_.epsilon, rule.c1, rule.c2, rule.factor);
  } else {
    simd().sgd(w, g, first, rows, rule.rate, rule.decay, rule.momentum, rule.nesterov, rule.factor);
  }
}

void Optimizer::elementwise(const Slot& slot, const Rule& rule) {
  const int64_t chunks = (slot.packing.size + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) if (chunks > 1)
  for (int64_t c = 0; c < chunks; ++c) {
    const int64_t at = slot.offset + c * kChunk;
    take(at, parameters_.gradients.data() + at, std::min(kChunk, slot.packing.size - c * kChunk), rule);
  }
}

void Optimizer::table(const Slot& slot, const Rule& rule) {
  const TableGradient& gradient = parameters_.table;
  const auto rows = static_cast<int64_t>(gradient.tokens.size());
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = slot.offset + gradient.tokens[static_cast<size_t>(r)] * gradient.width;
    take(at, gradient.rows.data() + r * gradient.width, gradient.width, rule);
    if (spec_.ema <= 0) continue;
    simd().average(ema_.data() + at, parameters_.values.data() + at, gradient.width / simd().lanes, spec_.ema);
  }
}

// Muon (Jordan 2024): momentum, then the update is made nearly orthogonal by three Newton-Schulz steps; the kernel's
// norm is reset to the square root of its number of outputs first. X is [inputs, outputs], i.e. the usual matrix
// transposed, which changes nothing but the side its square is taken on.
void Optimizer::muon(Matrix& m, float rate, float decay, float factor) {
  using Steps = kernels::NewtonSchulz;
  const Slot& slot = parameters_.slots[m.slot];
  const int64_t size = slot.packing.size, elements = m.rows * m.columns;
  float *g = parameters_.gradient(slot), *w = parameters_.value(slot), *v = states_[0].flat.data() + slot.offset;
  const kernels::MuonDirection<float> direction{spec_.momentum, factor, spec_.nesterov};
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) g[i] = direction(g[i], v[i]);
  float *x = work_.data(), *next = x + (elements + 15) / 16 * 16;
  if (slot.packing.conv) {
    m.out.execute(dnnl_stream(), m.inner_gradient, m.plain);
  } else {
    unpack(slot.packing, slot.parameter.shape, g, x);
  }
  double square = 0;
  for (int64_t i = 0; i < elements; ++i) square += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  const auto inverse = static_cast<float>(1 / (std::sqrt(square) + Steps::kEpsilon));
  for (int64_t i = 0; i < elements; ++i) x[i] *= inverse;
  const bool tall = m.rows >= m.columns;
  const int64_t side = std::min(m.rows, m.columns), other = std::max(m.rows, m.columns);
  float *a = next + (elements + 15) / 16 * 16, *b = a + (side * side + 15) / 16 * 16;
  for (int round = 0; round < Steps::kSteps; ++round) {
    gemm(tall ? 'T' : 'N', tall ? 'N' : 'T', side, side, other, 1, x, m.columns, x, m.columns, 0, a, side);
    std::copy_n(a, side * side, b);
    gemm('N', 'N', side, side, side, static_cast<float>(Steps::kC), a, side, a, side, static_cast<float>(Steps::kB), b,
         side);
    std::copy_n(x, elements, next);
    if (tall) {
      gemm('N', 'N', m.rows, m.columns, side, 1, x, m.columns, b, side, static_cast<float>(Steps::kA), next, m.columns);
    } else {
      gemm('N', 'N', m.rows, m.columns, side, 1, b, side, x, m.columns, static_cast<float>(Steps::kA), next, m.columns);
    }
    std::copy_n(next, elements, x);
  }
  if (slot.packing.conv) {
    m.in.execute(dnnl_stream(), m.plain, m.inner_gradient);
  } else {
    pack(slot.packing, slot.parameter.shape, x, g);
  }
  const double norm = std::sqrt(simd().square_sum(w, size / simd().lanes));
  const kernels::MuonUpdate<float> take{rate, decay, static_cast<float>(kernels::muon_reset(norm, m.columns))};
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) take(w[i], g[i]);
}

void Optimizer::save(ParameterSet& set) const {
  for (const State& state : states_) {
    for (const Slot& slot : parameters_.slots) {
      if (slot.parameter.trainable) set.tensors.push_back(parameters_.plain(slot, state.flat, state.suffix));
    }
  }
  if (spec_.ema > 0) {
    for (const Slot& slot : parameters_.slots) {
      if (slot.parameter.trainable) set.tensors.push_back(parameters_.plain(slot, ema_, ".ema"));
    }
  }
  set.tensors.push_back({"optimizer.steps", {1}, {static_cast<float>(steps_)}});
}

void Optimizer::load(const ParameterSet& set) {
  const NamedTensor* steps = set.find("optimizer.steps");
  steps_ = steps == nullptr || steps->values.empty() ? 0 : static_cast<int64_t>(steps->values[0]);
  for (const Slot& slot : parameters_.slots) {
    if (!slot.parameter.trainable) continue;
    for (const State& state : states_) {
      const NamedTensor* found = set.find(slot.ref.name + state.suffix);
      if (found != nullptr) {
        parameters_.set_plain(slot, state.flat, *found);
      } else {
        std::fill_n(state.flat.data() + slot.offset, slot.packing.size, 0.0F);
      }
    }
    if (spec_.ema <= 0) continue;
    const NamedTensor* average = set.find(slot.ref.name + ".ema");
    parameters_.set_plain(slot, ema_, average != nullptr ? *average : set.at(slot.ref.name));
  }
}

int64_t Optimizer::bytes() const {
  int64_t floats = ema_.size() + work_.size();
  for (const State& state : states_) floats += state.flat.size();
  return floats * static_cast<int64_t>(sizeof(float));
}

}  // namespace lepton::cpu
