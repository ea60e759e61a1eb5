#pragma once
// What the engine tests share: devices, samples and comparisons.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "engine/engine.h"
#include "engine/made_up_batch.h"

namespace lepton {

// The engines that this program tests, and how it makes them; each program defines these for the engines it has.
const std::vector<std::string>& test_devices();
std::unique_ptr<Engine> compile_tested(const Graph& graph, const std::string& device, const EngineOptions& options);

// nullptr, after a loud skip, where the device is missing on this machine.
inline std::unique_ptr<Engine> compile_or_skip(const Graph& graph, const std::string& device,
                                               const EngineOptions& options) {
  try {
    return compile_tested(graph, device, options);
  } catch (const Error& error) {
    if (error.status() != Exit::device) throw;
    std::cerr << "[  SKIPPED ] device " << device << " is missing: " << error.what() << "\n";
    return nullptr;
  }
}

// n samples of any shape: images where it has rank 3, texts where there are `tokens`, rows else. The first text is
// empty, the second full, the others end somewhere; the third has a hole.
class TestSamples {
 public:
  TestSamples(const Shape& shape, int64_t n, int64_t classes, uint64_t seed = 1, int64_t tokens = 0)
      : classes_(classes) {
    held_.n = n;
    const auto count = static_cast<size_t>(n * shape.elements());
    for (size_t i = 0; i < count; ++i) {
      const uint32_t bits = random4(seed, Stream::sample, 0, i).v[0];
      if (tokens > 0) {
        held_.tokens.push_back(text_token(static_cast<int64_t>(i), shape[0], bits, static_cast<uint32_t>(tokens)));
      } else if (shape.rank() == 3) {
        held_.images.push_back(static_cast<uint8_t>(bits >> 24));
      } else {
        held_.rows.push_back(4 * uniform(bits) - 2);
      }
    }
    for (int64_t i = 0; i < n; ++i) {
      held_.labels.push_back(static_cast<int32_t>(below(draw(seed, 1, i), static_cast<uint32_t>(classes))));
    }
  }

  void augment(const Shape& shape, uint64_t seed = 1) {
    for (int64_t i = 0; i < held_.n; ++i) {
      const auto within = [&](uint64_t step, int64_t low, int64_t high) {
        return static_cast<int16_t>(low + below(draw(seed, step, i), static_cast<uint32_t>(high - low + 1)));
      };
      Augment a;
      if (shape.rank() < 3) {
        const auto frames = shape.rank() == 2 ? shape[0] : 1, bands = shape[shape.rank() - 1];
        a.dy = within(2, -frames / 2, frames / 2);
        a.cut_y = within(4, -1, frames);
        a.cut_x = within(5, -1, bands);
        a.cut_h = within(6, 0, 2);
        a.cut_w = within(7, 0, 2);
        a.noise = 0.3F * within(8, 0, 2);
        a.key = seed + static_cast<uint64_t>(i);
        held_.augment.push_back(a);
        continue;
      }
      a.dy = within(2, -shape[0] - 2, shape[0] + 2);  // also past a whole image: reflected more than once
      a.dx = within(3, -3, 3);
      a.cut_y = within(4, -2, shape[0]);
      a.cut_x = within(5, -2, shape[1]);
      a.cut_h = within(6, 0, 3);
      a.cut_w = within(7, 0, 3);
      a.brightness = within(8, -20, 20);
      a.contrast = 1 + 0.1F * within(9, -5, 5);
      a.flip = within(10, 0, 1) == 1;
      held_.augment.push_back(a);
    }
  }

  // Targets instead of labels, as many a sample as there are classes; with weights every fourth is unknown.
  void aim() {
    for (int64_t i = 0; i < held_.n * classes_; ++i) {
      const bool unknown = !held_.weights.empty() && i % 4 == 3;
      held_.targets.push_back(unknown ? std::numeric_limits<float>::quiet_NaN() : 4 * uniform(draw(3, 11, i)) - 2);
    }
    held_.labels.clear();
  }

  // Every third sample loses its label, the others weigh 0.5, 1, 1.5, ...
  void weigh() {
    for (size_t i = 0; i < held_.labels.size(); ++i) {
      if (i % 3 == 2) held_.labels[i] = -1;
      held_.weights.push_back(0.5F * static_cast<float>(i + 1));
    }
  }

  Batch batch() const { return held_.view(); }

 private:
  static int32_t text_token(int64_t i, int64_t length, uint32_t bits, uint32_t tokens) {
    const int64_t sample = i / length, place = i % length, end = sample == 1 ? length : sample * 5 % (length + 1);
    const bool hole = sample == 2 && place == 1;
    return place < end && !hole ? 1 + static_cast<int32_t>(below(bits, tokens - 1)) : 0;
  }

  static uint32_t draw(uint64_t seed, uint64_t step, int64_t i) {
    return random4(seed, Stream::sample, step, static_cast<uint64_t>(i)).v[0];
  }

  int64_t classes_;
  MadeUpBatch held_;
};

// Means and standard deviations for a graph's input, different for each channel, that bring images near unit range.
inline void set_normalization(const Shape& input, EngineOptions& options) {
  const bool images = input.rank() == 3;
  for (int64_t c = 0; c < input[input.rank() - 1]; ++c) {
    options.mean.push_back((images ? 120.0F : 0.1F) + static_cast<float>(c % 3));
    options.std.push_back((images ? 60.0F : 1.0F) + 0.5F * static_cast<float>(c % 5));
  }
}

// Random values for every parameter, also where initial values are 0 or 1: kernels keep the scale of their inputs,
// scales and variances stay near 1. No value is left at one that hides a mistake.
inline ParameterSet test_parameters(const Graph& graph, uint64_t seed = 1) {
  ParameterSet set;
  for (const ParameterRef& ref : parameters_of(graph)) {
    const Parameter& p = graph.nodes[static_cast<size_t>(ref.node)].parameters[static_cast<size_t>(ref.index)];
    NamedTensor tensor{ref.name, p.shape, {}};
    const bool positive = p.role == Role::gamma || p.role == Role::variance;
    const int64_t inputs = p.shape.elements() / p.shape[p.shape.rank() - 1];
    const float width = p.role == Role::kernel ? std::sqrt(3 / static_cast<float>(inputs)) : 0.4F;
    for (int64_t i = 0; i < p.shape.elements(); ++i) {
      const uint64_t place = (static_cast<uint64_t>(set.tensors.size()) << 32) + static_cast<uint64_t>(i);
      const float u = 2 * uniform(random4(seed, Stream::initial, 0, place).v[0]) - 1;
      tensor.values.push_back((positive ? 1.0F : 0.0F) + width * u);
    }
    set.tensors.push_back(std::move(tensor));
  }
  return set;
}

inline double largest_of(const std::vector<float>& values) {
  double largest = 0;
  for (const float v : values) largest = std::max(largest, std::abs(static_cast<double>(v)));
  return largest;
}

// |values - expected| <= tolerance x scale everywhere, scale being expected's largest value or `least` if that is more.
inline void expect_near(const std::vector<float>& values, const std::vector<float>& expected, double tolerance,
                        const std::string& what, double least = 0) {
  ASSERT_EQ(values.size(), expected.size()) << what;
  const double scale = std::max(largest_of(expected), least);
  for (size_t i = 0; i < values.size(); ++i) {
    const double difference = std::abs(static_cast<double>(values[i]) - static_cast<double>(expected[i]));
    ASSERT_LE(difference, tolerance * scale)
        << what << "[" << i << "] is " << values[i] << ", expected " << expected[i] << ", largest " << scale;
  }
}

// Bit for bit.
inline bool same(const ParameterSet& a, const ParameterSet& b) {
  return std::equal(a.tensors.begin(), a.tensors.end(), b.tensors.begin(), b.tensors.end(),
                    [](const NamedTensor& x, const NamedTensor& y) {
                      return x.name == y.name && x.shape == y.shape && x.values == y.values;
                    });
}

// Steps with the same rate and decay for every parameter, or with those set afterwards.
struct TestSteps {
  TestSteps(const Graph& graph, float rate, float decay)
      : rates(parameters_of(graph).size(), rate), decays(rates.size(), decay) {}

  StepResult operator()(Engine& engine, const Batch& batch, int64_t number) const {
    StepSettings settings;
    settings.step = number;
    settings.rates = rates;
    settings.decays = decays;
    settings.label_smoothing = label_smoothing;
    settings.sum_loss = sum_loss;
    return engine.train_step(batch, settings);
  }

  std::vector<float> rates, decays;
  float label_smoothing = 0;
  bool sum_loss = false;
};

// Exit::ok where f throws no Error.
template <class F>
Exit status_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.status();
  }
  return Exit::ok;
}

// Each optimiser with clipping and averages.
struct OptimizerCase {
  const char* name;
  OptimizerSpec spec;
};

inline std::vector<OptimizerCase> optimizer_cases() {
  std::vector<OptimizerCase> cases = {{"sgd", {}}, {"sgd without Nesterov", {}}, {"adamw", {}}, {"muon", {}}};
  cases[1].spec.nesterov = false;
  cases[2].spec.kind = OptimizerKind::adamw;
  cases[2].spec.epsilon = 1e-3F;  // gradients near 0 are not blown up to full steps
  cases[3].spec.kind = OptimizerKind::muon;
  for (OptimizerCase& c : cases) {
    c.spec.clip = 0.5F;
    c.spec.ema = 0.75F;
  }
  return cases;
}

}  // namespace lepton
