#pragma once
// Activations of one value and their derivatives. T is float or double.
#include <cmath>

#include "base/hd.h"

namespace lepton::kernels {

// max(x, 0); the slope at 0 is 0.
template <class T>
struct Relu {
  LEPTON_HD T value(T x) const { return x > 0 ? x : T{0}; }
  LEPTON_HD T slope(T x) const { return x > 0 ? T{1} : T{0}; }
};

// x times the normal distribution function of x (Hendrycks and Gimpel 2016), the exact form with erf.
template <class T>
struct Gelu {
  LEPTON_HD T value(T x) const { return x * normal_cdf(x); }
  LEPTON_HD T slope(T x) const {
    const T density = std::exp(-x * x / 2) * static_cast<T>(0.398942280401432677939946);  // 1 / sqrt(2 pi)
    return normal_cdf(x) + x * density;
  }
  // By erfc, which keeps its digits in the left tail.
  LEPTON_HD static T normal_cdf(T x) { return std::erfc(-x * static_cast<T>(0.707106781186547524400844)) / 2; }
};

// x / (1 + exp(-x)) (Elfwing et al. 2017; "swish").
template <class T>
struct Silu {
  LEPTON_HD T value(T x) const { return x * sigmoid(x); }
  LEPTON_HD T slope(T x) const {
    const T s = sigmoid(x);
    return s * (1 + x * (1 - s));
  }
  LEPTON_HD static T sigmoid(T x) { return 1 / (1 + std::exp(-x)); }
};

}  // namespace lepton::kernels
