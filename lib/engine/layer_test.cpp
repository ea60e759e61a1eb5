// Every row of layer_cases.h on every engine against the reference engine, and the reference against finite
// differences.
#include <set>

#include "engine/layer_row.h"

namespace lepton {
namespace {

double tolerance_of(Exactness exactness) { return exactness == Exactness::direct ? 1e-5 : 1e-4; }

class LayerTest : public testing::TestWithParam<LayerCase> {};

void compare_answers(const Row& row, Engine& engine, Engine& reference, double tolerance) {
  for (NodeId id = 0; id <= row.graph.output(); ++id) {
    expect_near(row.infer(engine, id), row.infer(reference, id), tolerance,
                "answer of " + row.graph.nodes[static_cast<size_t>(id)].name);
  }
}

// A gradient that is 0 but for rounding (a bias before batch-norm) is judged by the largest of all gradients.
double largest_gradient(const ParameterSet& saved) {
  double largest = 0;
  for (const NamedTensor& tensor : saved.tensors) {
    if (tensor.name.ends_with(".momentum")) largest = std::max(largest, largest_of(tensor.values));
  }
  return largest;
}

void compare_steps(const Row& row, Engine& engine, Engine& reference, double tolerance) {
  const StepResult result = row.step(engine), expected = row.step(reference);
  EXPECT_TRUE(result.finite && expected.finite);
  EXPECT_NEAR(result.loss, expected.loss, tolerance * std::max(1.0, expected.loss));
  EXPECT_EQ(result.correct, expected.correct);
  const ParameterSet saved = engine.save(), right = reference.save();
  ASSERT_EQ(saved.tensors.size(), right.tensors.size());
  const double least = largest_gradient(right) / 10;
  EXPECT_GT(least, 0);
  for (size_t i = 0; i < right.tensors.size(); ++i) {
    const NamedTensor& tensor = right.tensors[i];
    ASSERT_EQ(saved.tensors[i].name, tensor.name);
    expect_near(saved.tensors[i].values, tensor.values, tolerance, tensor.name,
                tensor.name.ends_with(".momentum") ? least : 0);
  }
}

void compare_engines(const Row& row, const std::string& device, double tolerance) {
  const auto engine = compile_or_skip(row.graph, device, row.options);
  if (!engine) return;
  const auto reference = compile(row.graph, "reference", row.options);
  engine->load(row.parameters);
  reference->load(row.parameters);
  compare_answers(row, *engine, *reference, tolerance);
  compare_steps(row, *engine, *reference, tolerance);
  compare_answers(row, *engine, *reference, tolerance);  // with the running statistics of the step
  EngineOptions inference = row.options;
  inference.training = false;
  const auto answering = compile_tested(row.graph, device, inference);
  answering->load(row.parameters);
  reference->load(row.parameters);
  compare_answers(row, *answering, *reference, tolerance);
}

TEST_P(LayerTest, EveryEngineAgreesWithTheReference) {
  const Row row(GetParam());
  for (const std::string& device : test_devices()) {
    if (device == "reference") continue;
    SCOPED_TRACE(device);
    compare_engines(row, device, tolerance_of(GetParam().exactness));
  }
}

// Derivative of the loss along a random direction of one parameter, by central difference and by the gradient. The
// direction is what the parameter's floats can express, so that nothing is lost by their rounding.
void compare_derivative(const Row& row, Engine& reference, const NamedTensor& gradient, size_t index, uint64_t seed) {
  ParameterSet ahead = row.parameters, behind = row.parameters;
  double along = 0, gradient_square = 0, direction_square = 0;
  for (size_t i = 0; i < gradient.values.size(); ++i) {
    const float step = (2 * uniform(random4(seed, Stream::sample, 99, i).v[0]) - 1) / 1048576;
    float &plus = ahead.tensors[index].values[i], &minus = behind.tensors[index].values[i];
    plus += step;
    minus -= step;
    const double direction = static_cast<double>(plus) - static_cast<double>(minus);
    const auto g = static_cast<double>(gradient.values[i]);
    along += g * direction;
    gradient_square += g * g;
    direction_square += direction * direction;
  }
  reference.load(ahead);
  const double high = row.step(reference).loss;
  reference.load(behind);
  const double low = row.step(reference).loss;
  const double size = std::sqrt(direction_square) * std::max(std::sqrt(gradient_square), 1e-3);
  EXPECT_NEAR(high - low, along, 1e-4 * size) << gradient.name;
}

TEST_P(LayerTest, TheReferenceAgreesWithFiniteDifferences) {
  LayerCase mean_loss = GetParam();
  mean_loss.sum_loss = false;  // what StepResult tells is the mean
  const Row row(mean_loss);
  const auto reference = compile(row.graph, "reference", row.options);
  reference->load(row.parameters);
  row.step(*reference);
  const ParameterSet saved = reference->save();
  for (size_t i = 0; i < row.parameters.tensors.size(); ++i) {
    const NamedTensor* gradient = saved.find(row.parameters.tensors[i].name + ".momentum");
    if (gradient == nullptr) continue;  // frozen, or a running statistic
    for (uint64_t seed = 1; seed <= 2; ++seed) compare_derivative(row, *reference, *gradient, i, seed);
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, LayerTest, testing::ValuesIn(kLayerCases),
                         [](const auto& row) { return std::string(row.param.name); });

// The kinds are those that have a name.
TEST(LayerCases, EveryKindHasARow) {
  std::set<LayerKind> seen;
  for (const LayerCase& row : kLayerCases) {
    for (const Node& node : build_graph(row.net, row.input, kCaseClasses, row.tokens).nodes) seen.insert(node.kind);
  }
  int kinds = 0;
  try {
    for (;; ++kinds) {
      const auto kind = static_cast<LayerKind>(kinds);
      const std::string name = kind_name(kind);
      EXPECT_TRUE(seen.contains(kind)) << "layer_cases.h has no row with " << name;
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::bug);
  }
  EXPECT_EQ(static_cast<size_t>(kinds), seen.size());
}

}  // namespace
}  // namespace lepton
