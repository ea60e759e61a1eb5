#include "engine/reference/loss.h"

#include "kernels/loss.h"
#include "kernels/reduce.h"

namespace lepton::reference {
namespace {

double weight_of(const Batch& batch, int64_t s) {
  return batch.weights.empty() ? 1.0 : static_cast<double>(batch.weights[static_cast<size_t>(s)]);
}

// What each part of the loss is multiplied by.
double share_of(double total, const StepSettings& settings) {
  if (settings.sum_loss) return 1;
  return total > 0 ? 1 / total : 0;
}

}  // namespace

StepResult cross_entropy(const Batch& batch, const StepSettings& settings, int64_t classes, const Values& logits,
                         Values& gradient) {
  const kernels::CrossEntropy<double> cross{classes, static_cast<double>(settings.label_smoothing)};
  const auto label = [&](int64_t s) { return batch.labels[static_cast<size_t>(s)]; };
  const auto weight = [&](int64_t s) { return label(s) < 0 ? 0.0 : weight_of(batch, s); };
  const auto row = [&](int64_t s) { return logits.data() + s * classes; };
  const double total = kernels::reduce<double>(batch.n, weight), share = share_of(total, settings);
  StepResult result;
  result.loss = kernels::reduce<double>(batch.n, [&](int64_t s) { return weight(s) * cross.loss(row(s), label(s)); });
  result.loss = total > 0 ? result.loss / total : 0;
  for (int64_t s = 0; s < batch.n; ++s) {
    const double log_total = kernels::log_sum_exp<double>(row(s), classes);
    for (int64_t c = 0; c < classes; ++c) {
      gradient[static_cast<size_t>(s * classes + c)] =
          cross.gradient(row(s)[c], log_total, c, label(s), weight(s) * share);
    }
    result.correct += label(s) >= 0 && kernels::largest(row(s), classes) == label(s);
  }
  return result;
}

StepResult squared_error(const Batch& batch, const StepSettings& settings, int64_t classes, const Values& values,
                         Values& gradient) {
  const kernels::SquaredError<double> error;
  const auto target = [&](int64_t i) { return static_cast<double>(batch.targets[static_cast<size_t>(i)]); };
  const auto value = [&](int64_t i) { return values[static_cast<size_t>(i)]; };
  const auto weight = [&](int64_t i) { return error.counts(target(i)) ? weight_of(batch, i / classes) : 0.0; };
  const int64_t count = batch.n * classes;
  const double total = kernels::reduce<double>(count, weight), share = share_of(total, settings);
  StepResult result;
  result.loss = kernels::reduce<double>(count, [&](int64_t i) { return weight(i) * error.loss(value(i), target(i)); });
  result.loss = total > 0 ? result.loss / total : 0;
  for (int64_t i = 0; i < count; ++i) {
    gradient[static_cast<size_t>(i)] = error.gradient(value(i), target(i), weight(i) * share);
  }
  return result;
}

}  // namespace lepton::reference
