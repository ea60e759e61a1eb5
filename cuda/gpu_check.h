#pragma once
// What scripts/gpu-check measures, on any policy.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "cuda/memory.h"
#include "cuda/policy.h"
#include "engine/auto_device.h"
#include "engine/engine.h"
#include "engine/layer_cases.h"
#include "engine/made_up_batch.h"
#include "net/graph.h"
#include "net/parameters.h"

namespace lepton::cuda {

using MakeEngine = std::function<std::unique_ptr<Engine>(const Graph&, const EngineOptions&)>;

struct CaseResult {
  std::string name;
  Precision precision;
  Distances distances;  // from the reference engine, in double
  bool passed;
};

// The largest distances of a precision: rounding, and what choices make of it.
inline bool within(const Distances& d, Precision precision, bool choices) {
  constexpr double kAnswers[] = {1e-5, 0.003, 0.02, 0.003};
  constexpr double kGradients[] = {1e-4, 0.02, 0.15, 0.03}, kOfChoices[] = {1e-4, 0.7, 0.7, 0.7};
  const auto which = static_cast<size_t>(precision);
  const double answers = kAnswers[which], gradients = choices ? kOfChoices[which] : kGradients[which];
  return d.answers <= answers && d.loss <= answers && d.gradients <= gradients && d.next_loss <= 10 * answers &&
         d.next_answers <= 10 * answers;
}

// A training engine for one row of layer_cases.h beside the reference engine.
inline CaseResult check_case(const LayerCase& row, Precision precision, const MakeEngine& make) {
  const Graph graph = build_graph(row.net, row.input, kCaseClasses, row.tokens);
  EngineOptions options;
  options.batch = row.room;
  options.training = true;
  options.seed = 7;
  options.precision = precision;
  options.loss = row.targets ? LossKind::mse : LossKind::cross_entropy;
  if (row.tokens == 0) {
    options.mean.assign(static_cast<size_t>(row.input[row.input.rank() - 1]), row.input.rank() == 3 ? 120.0F : 0.1F);
    options.std.assign(options.mean.size(), row.input.rank() == 3 ? 60.0F : 1.0F);
  }
  EngineOptions exact = options;
  exact.precision = Precision::fp32;
  const std::unique_ptr<Engine> engine = make(graph, options), reference = compile_reference(graph, exact);
  const Distances found = distances(graph, options, *engine, *reference);
  return {row.name, precision, found, within(found, precision, makes_choices(row))};
}

// Images with labels.
inline MadeUpBatch made_up_images(const Shape& shape, int64_t n, int64_t classes) {
  MadeUpBatch batch;
  batch.n = n;
  for (int64_t i = 0; i < n * shape.elements(); ++i) {
    batch.images.push_back(static_cast<uint8_t>(random4(1, Stream::sample, 0, static_cast<uint64_t>(i)).v[0] >> 24));
  }
  for (int64_t i = 0; i < n; ++i) batch.labels.push_back(static_cast<int32_t>(i * 7 % classes));
  return batch;
}

// Whether steps that are recorded and replayed leave the bits of plain ones; all that a step is told changes.
inline bool replays_as_plain(Precision precision, const MakeEngine& recording, const MakeEngine& plain) {
  const Graph graph = build_graph("conv 8 3x3 bn relu; maxpool 2; conv 8 3x3 bn gelu; dropout 0.2; dense classes",
                                  {12, 12, 3}, kCaseClasses);
  EngineOptions options;
  options.batch = 16;
  options.training = true;
  options.precision = precision;
  options.optimizer.kind = OptimizerKind::adamw;
  options.optimizer.clip = 1;
  const MadeUpBatch most = made_up_images(graph.input, options.batch, graph.classes);
  const MadeUpBatch fewer = made_up_images(graph.input, options.batch - 1, graph.classes);
  std::vector<ParameterSet> states;
  for (const MakeEngine& make : {recording, plain}) {
    const std::unique_ptr<Engine> engine = make(graph, options);
    engine->load(initial_parameters(graph, 1));
    for (int64_t number = 0; number < 8; ++number) {
      const std::vector<float> rates(parameters_of(graph).size(), 1e-3F * static_cast<float>(number + 1));
      const std::vector<float> decays(rates.size(), 1e-2F * static_cast<float>(number));
      StepSettings settings;
      settings.step = number;
      settings.rates = rates;
      settings.decays = decays;
      settings.label_smoothing = 0.1F * static_cast<float>(number % 3);
      const auto batch = [&](int64_t which) { return which % 3 == 2 ? fewer.view() : most.view(); };
      engine->announce(batch(number + 1));
      (void)engine->train_step(batch(number), settings);
    }
    states.push_back(engine->save());
  }
  return std::equal(states[0].tensors.begin(), states[0].tensors.end(), states[1].tensors.begin(),
                    states[1].tensors.end(),
                    [](const NamedTensor& a, const NamedTensor& b) { return a.values == b.values; });
}

inline double seconds_of(const std::function<void()>& f) {
  const auto begun = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

struct Speed {
  std::vector<double> images_per_second;  // of each run
  std::vector<LayerTime> layers;
};

// Whole training steps (upload, forward, backward, update and the answer back), after three that warm up; each run is
// of `steps`.
inline Speed measure_training(const Graph& graph, const EngineOptions& options, const MakeEngine& make, int runs,
                              int steps, const ParameterSet& parameters) {
  const std::unique_ptr<Engine> engine = make(graph, options);
  engine->load(parameters);
  const MadeUpBatch samples = made_up_images(graph.input, options.batch, graph.classes);
  const Batch batch = samples.view();
  const std::vector<float> rates(parameters_of(graph).size(), 1e-4F), decays(rates.size(), 0.0F);
  StepSettings settings;
  settings.rates = rates;
  settings.decays = decays;
  const auto step = [&] {
    if (!engine->train_step(batch, settings).finite) fail(Exit::failed, "a step was not finite");
    ++settings.step;
  };
  for (int i = 0; i < 3; ++i) step();
  Speed speed;
  for (int run = 0; run < runs; ++run) {
    const double seconds = seconds_of([&] {
      for (int i = 0; i < steps; ++i) step();
    });
    speed.images_per_second.push_back(static_cast<double>(options.batch * steps) / seconds);
  }
  (void)engine->profile(batch);
  speed.layers = engine->profile(batch);
  return speed;
}

struct CopyElement {
  const float* from;
  float* to;
  LEPTON_HD void operator()(int64_t i) const { to[i] = from[i]; }
};

// Bytes a second, read and written, of copying `count` floats.
template <class P>
double copy_ceiling(P& policy, int64_t count, int rounds) {
  const auto from = memory_of<float>(policy, count), to = memory_of<float>(policy, count);
  const CopyElement copy{from.template as<float>(), to.template as<float>()};
  policy.launch(count, copy);
  policy.finish();
  const double seconds = seconds_of([&] {
    for (int i = 0; i < rounds; ++i) policy.launch(count, copy);
    policy.finish();
  });
  return 8.0 * static_cast<double>(count) * rounds / seconds;
}

// FLOP a second of a product of square matrices.
template <class P>
double product_ceiling(P& policy, int64_t side, Type type, bool tf32, int rounds) {
  const Memory<P> a(policy, side * side * size_of(type)), b(policy, side * side * size_of(type));
  const Memory<P> c(policy, side * side * size_of(type));
  Gemm g{
      false, false, side, side, side, a.template as<void>(), side, b.template as<void>(), side, c.template as<void>(),
      side};
  g.in = g.out = type;
  g.tf32 = tf32;
  policy.gemm(g);
  policy.finish();
  const double seconds = seconds_of([&] {
    for (int i = 0; i < rounds; ++i) policy.gemm(g);
    policy.finish();
  });
  const auto s = static_cast<double>(side);
  return 2 * s * s * s * rounds / seconds;
}

}  // namespace lepton::cuda
