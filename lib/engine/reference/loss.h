#pragma once
// Losses of a batch and their gradients by the last node's values [n,classes].
#include "engine/engine.h"
#include "engine/reference/layers.h"

namespace lepton::reference {

// Weighted means; `gradient` is set. Without any label or target both are 0.
StepResult cross_entropy(const Batch& batch, const StepSettings& settings, int64_t classes, const Values& logits,
                         Values& gradient);
StepResult squared_error(const Batch& batch, const StepSettings& settings, int64_t classes, const Values& values,
                         Values& gradient);

}  // namespace lepton::reference
