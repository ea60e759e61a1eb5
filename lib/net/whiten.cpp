#include <cmath>
#include <vector>

#include "base/error.h"
#include "net/eigen.h"
#include "net/parameters.h"

namespace lepton {
namespace {

struct Moments {
  int64_t count = 0;
  std::vector<double> sum, products;  // [d], [d,d] upper triangle
};

// Sums over all patches of n images, each patch flattened in the order of a kernel: row, column, channel.
Moments patch_moments(std::span<const float> images, int64_t n, const Shape& shape, int64_t height, int64_t width) {
  const int64_t run = width * shape[2], d = height * run;
  Moments moments;
  moments.sum.assign(static_cast<size_t>(d), 0.0);
  moments.products.assign(static_cast<size_t>(d * d), 0.0);
  std::vector<float> patch(static_cast<size_t>(d));
  for (int64_t image = 0; image < n; ++image) {
    const float* pixels = images.data() + image * shape.elements();
    for (int64_t y = 0; y + height <= shape[0]; ++y) {
      for (int64_t x = 0; x + width <= shape[1]; ++x) {
        for (int64_t row = 0; row < height; ++row) {
          const float* from = pixels + ((y + row) * shape[1] + x) * shape[2];
          std::copy(from, from + run, patch.begin() + row * run);
        }
        for (int64_t i = 0; i < d; ++i) {
          const double value = patch[static_cast<size_t>(i)];
          moments.sum[static_cast<size_t>(i)] += value;
          double* products = moments.products.data() + i * d;
          for (int64_t j = i; j < d; ++j) products[j] += value * patch[static_cast<size_t>(j)];
        }
        ++moments.count;
      }
    }
  }
  return moments;
}

std::vector<double> covariance(const Moments& moments) {
  const size_t d = moments.sum.size();
  const auto count = static_cast<double>(moments.count);
  std::vector<double> result(d * d);
  for (size_t i = 0; i < d; ++i) {
    for (size_t j = i; j < d; ++j) {
      const double value = moments.products[i * d + j] / count - (moments.sum[i] / count) * (moments.sum[j] / count);
      result[i * d + j] = result[j * d + i] = value;
    }
  }
  return result;
}

}  // namespace

void set_whitening(ParameterSet& parameters, const Graph& graph, std::span<const float> images, int64_t n) {
  if (n < 1 || images.size() < static_cast<size_t>(n * graph.input.elements())) {
    fail(Exit::bug, "set_whitening: {} images of {} are not there", n, graph.input.to_string());
  }
  for (const ParameterRef& ref : parameters_of(graph)) {
    const Node& node = graph.nodes[static_cast<size_t>(ref.node)];
    const Parameter& parameter = node.parameters[static_cast<size_t>(ref.index)];
    if (parameter.init != Init::whiten) continue;
    const Eigen eigen =
        symmetric_eigen(covariance(patch_moments(images, n, graph.input, parameter.shape[0], parameter.shape[1])),
                        parameter.shape.elements() / parameter.shape[3]);
    NamedTensor* kernel = parameters.find(ref.name);
    if (!kernel) fail(Exit::mismatch, "weights {} are missing", ref.name);
    const size_t d = eigen.values.size();
    for (size_t filter = 0; filter < d; ++filter) {
      // Rounding may leave a variance of nothing a little below zero.
      const double scale = 1 / std::sqrt(std::max(0.0, eigen.values[filter]) + 5e-4);
      for (size_t row = 0; row < d; ++row) {
        const auto value = static_cast<float>(eigen.vectors[filter * d + row] * scale);
        kernel->values[row * 2 * d + filter] = value;
        kernel->values[row * 2 * d + d + filter] = -value;
      }
    }
  }
}

}  // namespace lepton
