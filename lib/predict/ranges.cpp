#include "predict/ranges.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace lepton {
namespace {

bool is_activation(LayerKind kind) {
  return kind == LayerKind::relu || kind == LayerKind::gelu || kind == LayerKind::silu;
}

// Maps that an engine may store: not those that a batch-norm or an activation, their only reader, is computed with.
bool is_stored(const Graph& graph, NodeId id) {
  const Node& node = graph.nodes[static_cast<size_t>(id)];
  if (node.shape.rank() != 3 || (id == 0 && graph.tokens > 0)) return false;
  if (node.kind != LayerKind::conv && node.kind != LayerKind::dwconv && node.kind != LayerKind::batchnorm) return true;
  int64_t readers = 0;
  LayerKind reader = LayerKind::input;
  for (const Node& n : graph.nodes) {
    if (std::find(n.inputs.begin(), n.inputs.end(), id) == n.inputs.end()) continue;
    ++readers;
    reader = n.kind;
  }
  return readers != 1 || !(reader == LayerKind::batchnorm || is_activation(reader));
}

}  // namespace

void MagnitudeCounts::add(std::span<const float> values) {
  double largest = 0;
  for (const float v : values) {
    if (!std::isfinite(v)) continue;
    largest = std::max(largest, std::abs(static_cast<double>(v)));
    negative_ = negative_ || v < 0;
  }
  largest_ = std::max(largest_, largest);
  if (largest == 0) return;
  if (limit_ == 0) limit_ = std::exp2(std::floor(std::log2(largest)) + 1);
  while (largest >= limit_) {
    for (size_t i = 0; i < kBins / 2; ++i) counts_[i] = counts_[2 * i] + counts_[2 * i + 1];
    std::fill(counts_.begin() + kBins / 2, counts_.end(), int64_t{0});
    limit_ *= 2;
  }
  const auto scale = static_cast<float>(kBins / limit_);
  for (const float v : values) {
    if (!std::isfinite(v) || v == 0) continue;
    ++counts_[static_cast<size_t>(std::min(kBins - 1, static_cast<int>(std::abs(v) * scale)))];
  }
}

float MagnitudeCounts::cut(int levels) const {
  if (limit_ == 0) return 0;
  const double width = limit_ / kBins;
  // From the largest down, with sums of 1, v and v^2 of the values above.
  double n = 0, sum = 0, square = 0, all = 0, best = largest_;
  for (const int64_t count : counts_) all += static_cast<double>(count);
  double least = all * std::pow(largest_ / levels, 2) / 12;
  for (int bin = kBins - 1; bin > 0; --bin) {
    const auto count = static_cast<double>(counts_[static_cast<size_t>(bin)]);
    const double v = (bin + 0.5) * width, m = bin * width;
    n += count;
    sum += count * v;
    square += count * v * v;
    if (m >= largest_) continue;
    const double error = (all - n) * std::pow(m / levels, 2) / 12 + square - 2 * m * sum + m * m * n;
    if (error < least) {
      least = error;
      best = m;
    }
  }
  return static_cast<float>(best);
}

RangeFinder::RangeFinder(const Graph& graph) : graph_(graph) {
  for (NodeId id = 0; id <= graph.output(); ++id) {
    if (is_stored(graph, id)) nodes_.push_back(id);
  }
  counts_.resize(nodes_.size());
}

void RangeFinder::see(Engine& exact, const Batch& batch) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const int64_t elements = graph_.nodes[static_cast<size_t>(nodes_[i])].shape.elements();
    values_.resize(static_cast<size_t>(batch.n * elements));
    exact.infer(batch, nodes_[i], values_);
    counts_[i].add(values_);
  }
}

NodeRanges RangeFinder::ranges() const {
  NodeRanges found;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const float range = counts_[i].cut(counts_[i].negative() ? 127 : 255);
    if (range > 0) found[graph_.nodes[static_cast<size_t>(nodes_[i])].name] = range;
  }
  return found;
}

std::vector<float> ranges_of_nodes(const Graph& graph, const NodeRanges& ranges) {
  std::vector<float> values(graph.nodes.size());
  for (const auto& [name, range] : ranges) {
    const auto node =
        std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& n) { return n.name == name; });
    if (node == graph.nodes.end()) fail(Exit::mismatch, "the model's int8 ranges: its network has no layer {}", name);
    values[static_cast<size_t>(node - graph.nodes.begin())] = range;
  }
  return values;
}

}  // namespace lepton
