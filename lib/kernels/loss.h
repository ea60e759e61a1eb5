#pragma once
// Squared error, and softmax cross-entropy with label smoothing (Szegedy et al. 2016): the target of class c is
// (1 - smoothing) [c = label] + smoothing / classes. A label of -1 has no loss.
#include <cmath>
#include <cstdint>

#include "base/hd.h"

namespace lepton::kernels {

// Index of the largest of `classes` logits, the first of equals.
template <class T>
LEPTON_HD int64_t largest(const T* logits, int64_t classes) {
  int64_t best = 0;
  for (int64_t c = 1; c < classes; ++c) {
    if (logits[c] > logits[best]) best = c;
  }
  return best;
}

// log(sum of exp(logits)), safe from overflow. Sums in T, whatever logits are stored as.
template <class T, class V>
LEPTON_HD T log_sum_exp(const V* logits, int64_t classes) {
  const T top = static_cast<T>(logits[largest(logits, classes)]);
  T total = 0;
  for (int64_t c = 0; c < classes; ++c) total += std::exp(static_cast<T>(logits[c]) - top);
  return top + std::log(total);
}

template <class T>
struct CrossEntropy {
  int64_t classes;
  T smoothing;

  LEPTON_HD T target(int64_t c, int64_t label) const {
    return (c == label ? 1 - smoothing : T{0}) + smoothing / static_cast<T>(classes);
  }
  // Loss of one sample; 0 without a label.
  template <class V>
  LEPTON_HD T loss(const V* logits, int64_t label) const {
    return label < 0 ? T{0} : loss(logits, log_sum_exp<T>(logits, classes), label);
  }
  template <class V>
  LEPTON_HD T loss(const V* logits, T log_total, int64_t label) const {
    if (label < 0) return 0;
    T total = 0;
    for (int64_t c = 0; c < classes; ++c) total += target(c, label) * (log_total - static_cast<T>(logits[c]));
    return total;
  }
  // Derivative by one logit times `factor`, which is the sample's share of the batch's loss; 0 without a label.
  LEPTON_HD T gradient(T logit, T log_total, int64_t c, int64_t label, T factor) const {
    return label < 0 ? T{0} : factor * (std::exp(logit - log_total) - target(c, label));
  }
};

// Squared error of one number; none where the target is NaN.
template <class T>
struct SquaredError {
  LEPTON_HD static bool counts(T target) { return !std::isnan(target); }
  LEPTON_HD T loss(T value, T target) const { return counts(target) ? (value - target) * (value - target) : T{0}; }
  // `factor` is the number's share of the batch's loss.
  LEPTON_HD T gradient(T value, T target, T factor) const {
    return counts(target) ? factor * 2 * (value - target) : T{0};
  }
};

}  // namespace lepton::kernels
