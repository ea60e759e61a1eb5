#pragma once
// Squared error of values [n, targets], and its gradient.
#include <array>

#include "base/batch.h"
#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/memory.h"
#include "cuda/op.h"
#include "cuda/sums.h"
#include "kernels/loss.h"

namespace lepton::cuda {

// values, targets [n, columns]; weights: [n] or nullptr.
template <class T>
struct TargetErrors {
  Divisor columns;
  const T* values;
  const float *targets, *weights;

  LEPTON_HD double weight(int64_t i) const {
    return weights == nullptr ? 1.0 : static_cast<double>(weights[columns(i).quotient]);
  }
  LEPTON_HD double value(int64_t i) const { return static_cast<double>(static_cast<float>(values[i])); }
  // Term of whole_sum: the weighted error of one number.
  LEPTON_HD double operator()(int64_t i) const {
    return weight(i) * kernels::SquaredError<double>{}.loss(value(i), static_cast<double>(targets[i]));
  }
};

template <class T>
struct TargetGradient {
  TargetErrors<T> errors;
  double factor;
  T* gradient;
  LEPTON_HD void operator()(int64_t i) const {
    const double share = errors.weight(i) * factor;
    gradient[i] = T(static_cast<float>(
        kernels::SquaredError<double>{}.gradient(errors.value(i), static_cast<double>(errors.targets[i]), share)));
  }
};

template <class P, class T>
class SquaredError : public LossOp<P, T> {
 public:
  SquaredError(P& policy, int64_t batch, int64_t columns) : columns_(columns) {
    targets_ = memory_of<float>(policy, batch * columns);
    weights_ = memory_of<float>(policy, batch);
    sums_ = memory_of<double>(policy, whole_sum_room(batch * columns) + 1);
  }
  int64_t bytes() const override { return targets_.bytes() + weights_.bytes() + sums_.bytes(); }

  void run(P& policy, const Batch& batch, const T* values, float, double factor, T* gradient) override {
    auto *targets = targets_.template as<float>(), *weights = weights_.template as<float>();
    policy.upload(targets, batch.targets.data(), static_cast<int64_t>(batch.targets.size_bytes()));
    if (batch.weights.empty()) {
      weights = nullptr;
    } else {
      policy.upload(weights, batch.weights.data(), static_cast<int64_t>(batch.weights.size_bytes()));
    }
    const int64_t count = batch.n * columns_;
    const TargetErrors<T> errors{Divisor(columns_), values, targets, weights};
    policy.launch(count, TargetGradient<T>{errors, factor, gradient});
    whole_sum(policy, count, errors, sums_.template as<double>() + 1, sums_.template as<double>());
  }

  std::array<double, 2> sums(P& policy) const override {
    std::array<double, 2> result{};
    policy.download(result.data(), sums_.template as<void>(), sizeof(double));
    return result;
  }

 private:
  int64_t columns_;
  Memory<P> targets_, weights_;
  Memory<P> sums_;  // the result, and room for whole_sum
};

}  // namespace lepton::cuda
