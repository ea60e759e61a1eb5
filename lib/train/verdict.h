#pragma once
// Whether a run that came to its end has anything to show for it.
#include <span>
#include <string>

#include "data/dataset.h"
#include "engine/engine.h"
#include "train/checkpoint.h"

namespace lepton {

// Fewer updates prove nothing.
constexpr int64_t kUpdatesToJudge = 50;

// Whether the model loaded into `judge` (batches of `batch`) says nothing about these labelled samples, or as many of
// them as it takes to tell.
bool learned_nothing(Engine& judge, const Graph& graph, const SplitData& split, std::span<const int64_t> samples,
                     int64_t batch);

// Regression: whether it gives every sample the same numbers.
bool answers_alike(Engine& judge, const Graph& graph, const SplitData& split, std::span<const int64_t> samples,
                   int64_t batch);

// What the model keeps of it: split -> metric -> value and interval, as JSON.
std::string metrics_json(const TrainState& state, const DatasetMeta& meta, int64_t val_samples);

}  // namespace lepton
