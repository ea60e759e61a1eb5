#include "net/parameters.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/random.h"

namespace lepton {
namespace {

// Random numbers of one parameter: a pure function of seed, the parameter's position in the graph and the element.
class Source {
 public:
  Source(uint64_t seed, size_t position) : seed_(seed), position_(position) {}

  // Uniform in (-bound, bound).
  void fill_uniform(std::vector<float>& values, double bound) const {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>((2 * half_open(draw(i / 4).v[i % 4]) - 1) * bound);
    }
  }

  // Normal with mean 0, by Box and Muller's transform: a pair from each pair of numbers.
  void fill_normal(std::vector<float>& values, double deviation) const {
    for (size_t i = 0; i < values.size(); ++i) {
      const Random4 random = draw(i / 4);
      const double radius = std::sqrt(-2 * std::log(half_open(random.v[i % 4 / 2 * 2])));
      const double angle = 2 * std::numbers::pi * half_open(random.v[i % 4 / 2 * 2 + 1]);
      values[i] = static_cast<float>(deviation * radius * (i % 2 ? std::sin(angle) : std::cos(angle)));
    }
  }

 private:
  Random4 draw(size_t index) const { return random4(seed_, Stream::initial, position_, index); }
  // In (0, 1), with 32 bits.
  static double half_open(uint32_t bits) { return (static_cast<double>(bits) + 0.5) / 4294967296.0; }

  uint64_t seed_;
  size_t position_;
};

// Values that reach one output: kernel height x width x input channels, or inputs.
double fan_in(const Shape& kernel) {
  return static_cast<double>(kernel.elements()) / static_cast<double>(kernel[kernel.rank() - 1]);
}

// The first min(inputs, outputs) filters pass their own channel through, at the centre of the window.
void set_identity(std::vector<float>& values, const Shape& kernel) {
  const bool conv = kernel.rank() == 4;
  const int64_t height = conv ? kernel[0] : 1, width = conv ? kernel[1] : 1;
  const int64_t inputs = kernel[kernel.rank() - 2], outputs = kernel[kernel.rank() - 1];
  const int64_t centre = (height / 2) * width + width / 2;
  for (int64_t out = 0; out < std::min(inputs, outputs); ++out) {
    for (int64_t row = 0; row < height * width * inputs; ++row) {
      values[static_cast<size_t>(row * outputs + out)] = row == centre * inputs + out ? 1.0F : 0.0F;
    }
  }
}

// The same of a depthwise kernel, whose every filter has its own channel.
void set_centre(std::vector<float>& values, const Shape& kernel) {
  const int64_t centre = kernel[0] / 2 * kernel[1] + kernel[1] / 2, channels = kernel[3];
  for (int64_t i = 0; i < kernel.elements(); ++i) {
    values[static_cast<size_t>(i)] = i / channels == centre ? 1.0F : 0.0F;
  }
}

// Divides by the standard deviation (of n - 1), as torch's std().
void divide_by_deviation(std::vector<float>& values) {
  if (values.size() < 2) return;
  double sum = 0, squares = 0;
  for (const float value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  for (const float value : values) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  for (float& value : values) value = static_cast<float>(value / deviation);
}

constexpr double kTableDeviation = 0.1;

// The row of token 0, which stands for no token.
void clear_padding(std::vector<float>& values, const Shape& table) { std::fill_n(values.begin(), table[1], 0.0F); }

const Shape* kernel_shape(const Node& node) {
  for (const Parameter& parameter : node.parameters) {
    if (parameter.role == Role::kernel) return &parameter.shape;
  }
  return nullptr;
}

void fill(std::vector<float>& values, const Node& node, const Parameter& parameter, const Source& source) {
  const Shape* kernel = kernel_shape(node);
  switch (parameter.init) {
    case Init::zero:
    case Init::whiten:
      return;
    case Init::one:
      std::fill(values.begin(), values.end(), 1.0F);
      return;
    case Init::he:
      return source.fill_normal(values, std::sqrt(2 / fan_in(*kernel)));
    case Init::torch:
      return source.fill_uniform(values, 1 / std::sqrt(fan_in(*kernel)));
    case Init::dirac:
      source.fill_uniform(values, 1 / std::sqrt(fan_in(*kernel)));
      return node.kind == LayerKind::dwconv ? set_centre(values, *kernel) : set_identity(values, *kernel);
    case Init::unit:
      source.fill_uniform(values, 1 / std::sqrt(fan_in(*kernel)));
      return divide_by_deviation(values);
    case Init::normal:
      source.fill_normal(values, kTableDeviation);
      return clear_padding(values, parameter.shape);
    case Init::uniform:
      source.fill_uniform(values, 1 / static_cast<double>(parameter.shape[1]));
      return clear_padding(values, parameter.shape);
  }
}

}  // namespace

ParameterSet initial_parameters(const Graph& graph, uint64_t seed) {
  ParameterSet set;
  const std::vector<ParameterRef> refs = parameters_of(graph);
  for (size_t position = 0; position < refs.size(); ++position) {
    const Node& node = graph.nodes[static_cast<size_t>(refs[position].node)];
    const Parameter& parameter = node.parameters[static_cast<size_t>(refs[position].index)];
    NamedTensor tensor;
    tensor.name = refs[position].name;
    tensor.shape = parameter.shape;
    tensor.values.assign(static_cast<size_t>(parameter.shape.elements()), 0.0F);
    fill(tensor.values, node, parameter, Source(seed, position));
    set.tensors.push_back(std::move(tensor));
  }
  return set;
}

void check_parameters(const ParameterSet& parameters, const Graph& graph) {
  for (const ParameterRef& ref : parameters_of(graph)) {
    const Shape& expected = graph.nodes[static_cast<size_t>(ref.node)].parameters[static_cast<size_t>(ref.index)].shape;
    const NamedTensor& tensor = parameters.at(ref.name);
    if (!(tensor.shape == expected) || tensor.values.size() != static_cast<size_t>(expected.elements())) {
      fail(Exit::mismatch, "weights {} are {}, the network needs {}", ref.name, tensor.shape.to_string(),
           expected.to_string());
    }
  }
}

}  // namespace lepton
