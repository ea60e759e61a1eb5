#pragma once
// Scores of a split's samples: validation, evaluation and inference on datasets share this one path.
#include <functional>
#include <vector>

#include "data/dataset.h"
#include "engine/engine.h"
#include "predict/ranges.h"

namespace lepton {

// A batch over n samples stored as bytes of `type`, and their augmentation (empty = none).
Batch batch_of(ElementType type, int64_t n, std::span<const uint8_t> x, std::span<const Augment> augment);

// A view of every image and its weight in the average of logits.
struct WeightedView {
  Augment view;
  float weight = 1;
};
std::vector<WeightedView> plain_view();
// Centre and the two diagonal shifts by one pixel, each also mirrored if flips: half the weight on the centre, half on
// the shifts (Jordan 2024).
std::vector<WeightedView> test_time_views(bool flips);

// Values of `node` for the samples (split indices; empty = all), [count, elements], averaged over the views.
// `progress` is told how many are done.
std::vector<float> score_samples(
    Engine& engine, const Graph& graph, NodeId node, const SplitData& split, std::span<const int64_t> samples,
    int64_t batch, std::span<const WeightedView> views, const std::function<void(int64_t)>& progress = [](int64_t) {});

// The ranges of the graph's values over `samples` of a split, as the fp32 engine, of `batch` samples, computes them.
NodeRanges measure_ranges(Engine& exact, const Graph& graph, const SplitData& split, std::span<const int64_t> samples,
                          int64_t batch);

// Indices of the samples that have a label.
std::vector<int64_t> labelled(const SplitData& split);
std::vector<int32_t> labels_of(const SplitData& split, std::span<const int64_t> samples);

}  // namespace lepton
