#pragma once
// What int8 inference must know of a network's values: how large they get.
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace lepton {

// By node name, the largest magnitude that bytes are to hold.
using NodeRanges = std::map<std::string, float>;

// How often magnitudes occur, in equal bins from 0 to a limit that doubles as values grow. Zeros, which bytes hold
// exactly, are left out.
class MagnitudeCounts {
 public:
  void add(std::span<const float> values);  // those that are not finite are left out
  // Where to cut, for bytes of `levels` steps: the magnitude m of least squared error, (m / levels)^2 / 12 for each
  // value below it and (|v| - m)^2 for each above. 0 if all values were 0.
  float cut(int levels) const;
  bool negative() const { return negative_; }  // whether a value was

 private:
  static constexpr int kBins = 4096;
  std::vector<int64_t> counts_ = std::vector<int64_t>(kBins);
  double limit_ = 0, largest_ = 0;
  bool negative_ = false;
};

// Finds the ranges of a graph's maps from what an fp32 engine computes.
class RangeFinder {
 public:
  explicit RangeFinder(const Graph& graph);
  void see(Engine& exact, const Batch& batch);
  NodeRanges ranges() const;

 private:
  const Graph& graph_;
  std::vector<NodeId> nodes_;
  std::vector<MagnitudeCounts> counts_;
  std::vector<float> values_;
};

// As EngineOptions::ranges. Error(mismatch) for a name that is no node's.
std::vector<float> ranges_of_nodes(const Graph& graph, const NodeRanges& ranges);

}  // namespace lepton
