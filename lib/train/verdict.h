#pragma once
// Whether a run that came to its end has anything to show for it.
#include <span>

#include "data/dataset.h"
#include "engine/engine.h"

namespace lepton {

// Fewer updates prove nothing.
constexpr int64_t kUpdatesToJudge = 50;

// Whether the model loaded into `judge` (batches of `batch`) says nothing about these labelled samples, or as many of
// them as it takes to tell.
bool learned_nothing(Engine& judge, const Graph& graph, const SplitData& split, std::span<const int64_t> samples,
                     int64_t batch);

}  // namespace lepton
