#include "base/error.h"
#include "engine/engine.h"
#include "kernels/loss.h"

namespace lepton {

void check_tokens(const Batch& batch, const Graph& graph) {
  const auto expected = static_cast<size_t>(batch.n * graph.input.elements());
  if (batch.tokens.size() != expected) {
    fail(Exit::mismatch, "a batch of {} texts needs {} token numbers, not {}", batch.n, expected, batch.tokens.size());
  }
  for (const int32_t token : batch.tokens) {
    if (token < 0 || token >= graph.tokens) {
      fail(Exit::mismatch, "token {} in a network of {} tokens", token, graph.tokens);
    }
  }
}

void check_truth(const Batch& batch, LossKind loss, int64_t classes) {
  const bool mse = loss == LossKind::mse;
  const size_t have = mse ? batch.targets.size() : batch.labels.size();
  if (have != static_cast<size_t>(batch.n * (mse ? classes : 1))) {
    fail(Exit::bug, "a batch to train on needs {}", mse ? "targets" : "labels");
  }
  for (const int32_t label : batch.labels) {
    if (label >= classes) fail(Exit::mismatch, "label {} in a network of {} classes", label, classes);
  }
}

double loss_weight(const Batch& batch, LossKind loss, int64_t classes) {
  double total = 0;
  for (int64_t s = 0; s < batch.n; ++s) {
    const auto at = static_cast<size_t>(s), parts = static_cast<size_t>(classes);
    int64_t counted = 0;
    if (loss == LossKind::cross_entropy) {
      counted = batch.labels[at] >= 0;
    } else {
      for (const float target : batch.targets.subspan(at * parts, parts)) {
        counted += kernels::SquaredError<float>::counts(target);
      }
    }
    total += static_cast<double>(counted) * (batch.weights.empty() ? 1.0 : static_cast<double>(batch.weights[at]));
  }
  return total;
}

}  // namespace lepton
