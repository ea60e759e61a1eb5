#pragma once
// Updates of one weight w with gradient g; `factor` multiplies the gradient first (clipping). T is float or double.
#include <cmath>
#include <cstdint>

#include "base/hd.h"

namespace lepton::kernels {

// Factor that brings a gradient of 2-norm `norm` down to `most`; most = 0: no clipping.
template <class T>
LEPTON_HD T clip_factor(T norm, T most) {
  return most > 0 && norm > most ? most / norm : T{1};
}

// SGD with (Nesterov) momentum as in PyTorch: the decay is part of the gradient.
template <class T>
struct Sgd {
  T rate, decay, momentum, factor;
  bool nesterov;

  LEPTON_HD void operator()(T& w, T g, T& velocity) const {
    const T d = g * factor + decay * w;
    velocity = momentum * velocity + d;
    w -= rate * (nesterov ? d + momentum * velocity : velocity);
  }
};

// AdamW (Loshchilov and Hutter 2019): decoupled decay, bias corrected by the number of steps.
template <class T>
struct AdamW {
  T rate, decay, beta1, beta2, epsilon, factor;
  T correction1, correction2;  // adam_correction of each beta

  LEPTON_HD void operator()(T& w, T g, T& first, T& second) const {
    const T d = g * factor;
    first = beta1 * first + (1 - beta1) * d;
    second = beta2 * second + (1 - beta2) * d * d;
    const T step = first / correction1 / (std::sqrt(second / correction2) + epsilon);
    w = w * (1 - rate * decay) - rate * step;
  }
};

// 1 - beta^steps; steps counts the current update, so it begins at 1.
template <class T>
LEPTON_HD T adam_correction(T beta, int64_t steps) {
  return 1 - std::pow(beta, static_cast<T>(steps));
}

// Muon (Jordan et al. 2024) treats a kernel as the matrix [outputs, inputs]. Its direction before orthogonalisation:
template <class T>
struct MuonDirection {
  T momentum, factor;
  bool nesterov;

  LEPTON_HD T operator()(T g, T& velocity) const {
    const T d = g * factor;
    velocity = momentum * velocity + d;
    return nesterov ? d + momentum * velocity : velocity;
  }
};

// The direction X over its 2-norm (plus epsilon) goes through `kSteps` of X <- a X + (b A + c A A) X with A = X X^T; X
// is transposed for it when it has more rows than columns.
struct NewtonSchulz {
  static constexpr int kSteps = 3;
  static constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315, kEpsilon = 1e-7;
};

// The kernel's 2-norm becomes sqrt(outputs), then the orthogonalised direction is taken off, with decoupled decay.
template <class T>
struct MuonUpdate {
  T rate, decay;
  T reset;  // muon_reset of the kernel

  LEPTON_HD void operator()(T& w, T direction) const { w = w * reset * (1 - rate * decay) - rate * direction; }
};

template <class T>
LEPTON_HD T muon_reset(T norm, int64_t outputs) {
  return norm > 0 ? std::sqrt(static_cast<T>(outputs)) / norm : T{1};
}

// Exponential moving average of a weight.
template <class T>
LEPTON_HD T moving_average(T average, T w, T decay) {
  return decay * average + (1 - decay) * w;
}

}  // namespace lepton::kernels
