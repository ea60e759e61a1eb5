#pragma once
// Squared error of values [n, targets], and its gradient.
#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/memory.h"
#include "cuda/op.h"
#include "cuda/step.h"
#include "cuda/sums.h"
#include "kernels/loss.h"

namespace lepton::cuda {

// values [n, columns], beside the batch's targets.
template <class T>
struct TargetErrors {
  Divisor columns;
  const T* values;
  const StepNumbers* numbers;

  LEPTON_HD double weight(int64_t i) const {
    const float* weights = numbers->batch.weights;
    return weights == nullptr ? 1.0 : static_cast<double>(weights[columns(i).quotient]);
  }
  LEPTON_HD double value(int64_t i) const { return static_cast<double>(static_cast<float>(values[i])); }
  LEPTON_HD double target(int64_t i) const { return static_cast<double>(numbers->batch.targets[i]); }
  // Term of whole_sum: the weighted error of one number.
  LEPTON_HD double operator()(int64_t i) const {
    return weight(i) * kernels::SquaredError<double>{}.loss(value(i), target(i));
  }
};

template <class T>
struct TargetGradient {
  TargetErrors<T> errors;
  T* gradient;
  LEPTON_HD void operator()(int64_t i) const {
    const double share = errors.weight(i) * static_cast<double>(errors.numbers->share);
    gradient[i] =
        T(static_cast<float>(kernels::SquaredError<double>{}.gradient(errors.value(i), errors.target(i), share)));
  }
};

template <class P, class T>
class SquaredError : public LossOp<P, T> {
 public:
  SquaredError(P& policy, int64_t batch, int64_t columns) : columns_(columns) {
    sums_ = memory_of<double>(policy, whole_sum_room(batch * columns) + 2);
  }
  const double* run(P& policy, int64_t n, const StepNumbers* numbers, const T* values, T* gradient) override {
    auto* sums = sums_.template as<double>();
    const TargetErrors<T> errors{Divisor(columns_), values, numbers};
    policy.launch(n * columns_, TargetGradient<T>{errors, gradient});
    whole_sum(policy, n * columns_, errors, sums + 2, sums);
    policy.zero(sums + 1, sizeof(double));
    return sums;
  }

 private:
  int64_t columns_;
  Memory<P> sums_;  // the error, nothing classified, and room for whole_sum
};

}  // namespace lepton::cuda
