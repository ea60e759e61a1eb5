#include "net/eigen.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace lepton {
namespace {

struct Rotation {
  double cosine, sine;
};

// The rotation of rows and columns p, q that makes a[p][q] zero.
Rotation zeroing(double pp, double pq, double qq) {
  const double theta = (qq - pp) / (2 * pq);
  const double tangent = (theta >= 0 ? 1.0 : -1.0) / (std::abs(theta) + std::hypot(theta, 1.0));
  const double cosine = 1 / std::hypot(tangent, 1.0);
  return {cosine, tangent * cosine};
}

// (x, y) -> (c x - s y, s x + c y)
void rotate(double& x, double& y, const Rotation& r) {
  const double old = x;
  x = r.cosine * old - r.sine * y;
  y = r.sine * old + r.cosine * y;
}

}  // namespace

Eigen symmetric_eigen(std::span<const double> a, int64_t n) {
  if (a.size() != static_cast<size_t>(n * n)) fail(Exit::bug, "symmetric_eigen: not {} by {}", n, n);
  const auto size = static_cast<size_t>(n);
  std::vector<double> m(a.begin(), a.end());
  std::vector<double> v(size * size, 0.0);
  for (size_t i = 0; i < size; ++i) v[i * size + i] = 1;
  double scale = 0;
  for (const double value : m) scale = std::max(scale, std::abs(value));
  constexpr int kMostSweeps = 60;  // quadratic convergence: ten are plenty
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool rotated = false;
    for (size_t p = 0; p < size; ++p) {
      for (size_t q = p + 1; q < size; ++q) {
        if (std::abs(m[p * size + q]) <= 1e-15 * scale) continue;
        rotated = true;
        const Rotation r = zeroing(m[p * size + p], m[p * size + q], m[q * size + q]);
        for (size_t k = 0; k < size; ++k) rotate(m[k * size + p], m[k * size + q], r);
        for (size_t k = 0; k < size; ++k) rotate(m[p * size + k], m[q * size + k], r);
        for (size_t k = 0; k < size; ++k) rotate(v[p * size + k], v[q * size + k], r);
      }
    }
    if (!rotated) break;
  }
  std::vector<size_t> order(size);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return m[i * size + i] > m[j * size + j]; });
  Eigen eigen;
  for (const size_t i : order) {
    eigen.values.push_back(m[i * size + i]);
    eigen.vectors.insert(eigen.vectors.end(), v.begin() + static_cast<int64_t>(i * size),
                         v.begin() + static_cast<int64_t>((i + 1) * size));
  }
  return eigen;
}

}  // namespace lepton
