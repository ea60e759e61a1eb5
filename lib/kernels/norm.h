#pragma once
// Batch normalisation (Ioffe and Szegedy 2015) of one channel. As in PyTorch the biased variance normalises and the
// unbiased one goes into the running statistics.
#include <cmath>
#include <cstdint>

#include "base/hd.h"

namespace lepton::kernels {

template <class T>
struct BatchNorm {
  T mean, inverse;  // inverse = 1 / sqrt(variance + epsilon)
  T gamma, beta;

  LEPTON_HD T normalized(T x) const { return (x - mean) * inverse; }
  LEPTON_HD T value(T x) const { return normalized(x) * gamma + beta; }
  // With the batch's own statistics, over `count` values; `sum` is the sum of dy over them and `product` that of
  // dy * normalized(x), which are also the gradients of beta and gamma.
  LEPTON_HD T gradient(T x, T dy, T sum, T product, T count) const {
    return gamma * inverse * (dy - sum / count - normalized(x) * product / count);
  }
};

template <class T>
LEPTON_HD T inverse_deviation(T variance, T epsilon) {
  return 1 / std::sqrt(variance + epsilon);
}

// Variance over count - 1 from that over count; unchanged for a single value.
template <class T>
LEPTON_HD T unbiased(T variance, int64_t count) {
  return count > 1 ? variance * static_cast<T>(count) / static_cast<T>(count - 1) : variance;
}

// Running statistic after one more step.
template <class T>
LEPTON_HD T running(T old, T fresh, T keep) {
  return keep * old + (1 - keep) * fresh;
}

}  // namespace lepton::kernels
