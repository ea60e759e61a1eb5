#pragma once
// A row of layer_cases.h computed in less than fp32, within its rounding of the reference engine.
#include <map>
#include <vector>

#include "engine/layer_row.h"

namespace lepton {

// |values - expected| / |expected| in 2-norms; `least` is the least that a value counts as.
inline double apart(const std::vector<float>& values, const std::vector<float>& expected, double least = 1e-6) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto v = static_cast<double>(values[i]), e = static_cast<double>(expected[i]);
    difference += (v - e) * (v - e);
    size += e * e;
  }
  return std::sqrt(difference / std::max(size, least * least * static_cast<double>(expected.size())));
}

inline double root_mean_square(const std::vector<float>& values) {
  return apart(values, std::vector<float>(values.size(), 0.0F), 1);
}

// Largest distance of answers and of gradients, in networks that are smooth and in others: a value near 0, or near its
// neighbour, may be taken otherwise by relu or a largest value than in double precision, and its gradient goes
// elsewhere.
struct Bound {
  double answers, gradients, gradients_of_choices;
};
inline const std::map<Precision, Bound> kBounds = {
    {Precision::tf32, {0.002, 0.01, 0.1}}, {Precision::bf16, {0.02, 0.1, 0.6}}, {Precision::fp16, {0.003, 0.02, 0.25}}};

// Answers of every node, and loss and gradients of a step.
inline void expect_within_rounding(const LayerCase& layers, const std::string& device, Precision precision) {
  const Bound bound = kBounds.at(precision);
  Row row(layers);
  const auto reference = compile(row.graph, "reference", row.options);
  row.options.precision = precision;
  const auto engine = compile_tested(row.graph, device, row.options);
  engine->load(row.parameters);
  reference->load(row.parameters);
  for (NodeId id = 0; id <= row.graph.output(); ++id) {
    EXPECT_LE(apart(row.infer(*engine, id), row.infer(*reference, id)), bound.answers)
        << row.graph.nodes[static_cast<size_t>(id)].name;
  }
  const StepResult result = row.step(*engine), right = row.step(*reference);
  EXPECT_TRUE(result.finite);
  EXPECT_NEAR(result.loss, right.loss, bound.answers * std::max(1.0, right.loss));
  const ParameterSet saved = engine->save(), expected = reference->save();
  double largest = 0;
  for (const NamedTensor& tensor : expected.tensors) {
    if (tensor.name.ends_with(".momentum")) largest = std::max(largest, root_mean_square(tensor.values));
  }
  for (const NamedTensor& tensor : expected.tensors) {
    if (!tensor.name.ends_with(".momentum")) continue;
    EXPECT_LE(apart(saved.at(tensor.name).values, tensor.values, largest / 10),
              makes_choices(layers) ? bound.gradients_of_choices : bound.gradients)
        << tensor.name;
  }
}

}  // namespace lepton
