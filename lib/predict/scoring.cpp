#include "predict/scoring.h"

#include <algorithm>
#include <numeric>

namespace lepton {

Batch batch_of(ElementType type, int64_t n, std::span<const uint8_t> x, std::span<const Augment> augment) {
  Batch b;
  b.n = n;
  if (type == ElementType::u8) b.images = x;
  if (type == ElementType::f32) b.rows = {reinterpret_cast<const float*>(x.data()), x.size() / sizeof(float)};
  if (type == ElementType::i32) b.tokens = {reinterpret_cast<const int32_t*>(x.data()), x.size() / sizeof(int32_t)};
  b.augment = augment;
  return b;
}

std::vector<int64_t> labelled(const SplitData& split) {
  std::vector<int64_t> indices;
  for (size_t i = 0; i < split.labels().size(); ++i) {
    if (split.labels()[i] >= 0) indices.push_back(static_cast<int64_t>(i));
  }
  return indices;
}

namespace {

// Into x, [samples, sample]; neighbours in the file are read with one call.
void read_samples(const SplitData& split, std::span<const int64_t> samples, std::vector<uint8_t>& x) {
  const auto bytes = static_cast<size_t>(split.sample_shape().elements()) * element_size(split.type());
  x.resize(samples.size() * bytes);
  for (size_t i = 0; i < samples.size();) {
    size_t end = i + 1;
    while (end < samples.size() && samples[end] == samples[end - 1] + 1) ++end;
    split.read(samples[i], static_cast<int64_t>(end - i), std::span(x).subspan(i * bytes, (end - i) * bytes));
    i = end;
  }
}

}  // namespace

NodeRanges measure_ranges(Engine& exact, const Graph& graph, const SplitData& split, std::span<const int64_t> samples,
                          int64_t batch) {
  RangeFinder finder(graph);
  std::vector<uint8_t> x;
  for (size_t begin = 0; begin < samples.size(); begin += static_cast<size_t>(batch)) {
    const size_t n = std::min(static_cast<size_t>(batch), samples.size() - begin);
    read_samples(split, samples.subspan(begin, n), x);
    finder.see(exact, batch_of(split.type(), static_cast<int64_t>(n), x, {}));
  }
  return finder.ranges();
}

std::vector<float> score_samples(Engine& engine, const Graph& graph, NodeId node, const SplitData& split,
                                 std::span<const int64_t> samples, int64_t batch, std::span<const WeightedView> views,
                                 const std::function<void(int64_t)>& progress) {
  std::vector<int64_t> all;
  if (samples.empty()) {
    all.resize(static_cast<size_t>(split.size()));
    std::iota(all.begin(), all.end(), int64_t{0});
    samples = all;
  }
  const auto width = static_cast<size_t>(graph.nodes[static_cast<size_t>(node)].shape.elements());
  std::vector<float> total(samples.size() * width), values(static_cast<size_t>(batch) * width);
  std::vector<uint8_t> x;
  for (size_t begin = 0; begin < samples.size(); begin += static_cast<size_t>(batch)) {
    const size_t n = std::min(static_cast<size_t>(batch), samples.size() - begin);
    read_samples(split, samples.subspan(begin, n), x);
    for (const WeightedView& v : views) {
      const bool changed = v.view.dy || v.view.dx || v.view.flip;
      const std::vector<Augment> augment(changed ? n : 0, v.view);
      engine.infer(batch_of(split.type(), static_cast<int64_t>(n), x, augment), node,
                   std::span(values).first(n * width));
      for (size_t i = 0; i < n * width; ++i) total[begin * width + i] += v.weight * values[i];
    }
    progress(static_cast<int64_t>(begin + n));
  }
  return total;
}

std::vector<int32_t> labels_of(const SplitData& split, std::span<const int64_t> samples) {
  std::vector<int32_t> labels;
  labels.reserve(samples.size());
  for (const int64_t i : samples) labels.push_back(split.labels()[static_cast<size_t>(i)]);
  return labels;
}

}  // namespace lepton
