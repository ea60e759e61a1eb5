#pragma once
// Values and gradients of all nodes in one arena planned from their lifetimes. Forward of node i is moment i, its
// backward moment 2 * nodes - i. An activation that is computed with the layer before it (fusion.h) shares its buffers.
#include <algorithm>
#include <vector>

#include "cuda/fusion.h"
#include "cuda/memory.h"
#include "engine/planner.h"
#include "net/graph.h"

namespace lepton::cuda {

inline bool backward_reads_input(LayerKind kind) {
  switch (kind) {
    case LayerKind::conv:
    case LayerKind::dwconv:
    case LayerKind::dense:
    case LayerKind::batchnorm:
    case LayerKind::relu:
    case LayerKind::gelu:
    case LayerKind::silu:
      return true;
    default:
      return false;
  }
}

// Whether a gradient must reach each node: it or what stands before it is trained.
inline std::vector<bool> wanted_gradients(const Graph& graph) {
  std::vector<bool> wanted;
  for (const Node& node : graph.nodes) {
    const bool own = std::any_of(node.parameters.begin(), node.parameters.end(),
                                 [](const Parameter& parameter) { return parameter.trainable; });
    const bool before = std::any_of(node.inputs.begin(), node.inputs.end(),
                                    [&](NodeId input) { return wanted[static_cast<size_t>(input)]; });
    wanted.push_back(own || before);
  }
  return wanted;
}

template <class P, class T>
class Values {
 public:
  Values(P& policy, const Graph& graph, const Fusion& fusion, int64_t batch, bool training)
      : fusion_(fusion), nodes_(static_cast<int>(graph.nodes.size())), wanted_(wanted_gradients(graph)) {
    if (!training) wanted_.assign(graph.nodes.size(), false);
    wanted_.back() = training;  // the loss writes it whether or not anybody reads
    for (const Node& node : graph.nodes) {
      const int64_t bytes = batch * node.shape.elements() * static_cast<int64_t>(sizeof(T));
      const auto id = static_cast<int>(values_.size());
      values_.push_back({bytes, id, id});
      gradients_.push_back({bytes, backward(id), backward(id)});
    }
    values_.back().last = backward(graph.output());  // the loss reads it
    gradients_.back().first = nodes_;
    for (int id = 0; id < nodes_; ++id) {
      if (fusion.done_with_another(id)) continue;
      for (const NodeId input : graph.nodes[static_cast<size_t>(id)].inputs) reach(graph, id, input, training);
    }
    for (int id = 0; id < nodes_; ++id) {
      if (fusion.done_with_another(id)) share(id, fusion.producer_of(id), training);
    }
    place(policy);
  }

  bool wanted(NodeId id) const { return wanted_[static_cast<size_t>(id)]; }
  T* value(NodeId id) const { return at(values_, id); }
  T* gradient(NodeId id) const { return at(gradients_, id); }

 private:
  T* at(const std::vector<PlannedBuffer>& buffers, NodeId id) const {
    return arena_.template as<T>(buffers[static_cast<size_t>(fusion_.shown(id))].offset);
  }

  // The buffers of activation `id` live from its producer's forward to its producer's backward, which also reads them
  // where the producer is a product. The producer has none.
  void share(int id, NodeId producer, bool training) {
    const auto activation = static_cast<size_t>(id), other = static_cast<size_t>(producer);
    values_[activation].first = producer;
    if (training) values_[activation].last = std::max(values_[activation].last, backward(producer));
    gradients_[activation].last = backward(producer);
    values_[other] = gradients_[other] = {};
  }

  int backward(int id) const { return 2 * nodes_ - id; }

  // Node `id` reads `input` forward, perhaps backward, and adds to its gradient.
  void reach(const Graph& graph, int id, NodeId input, bool training) {
    PlannedBuffer& value = values_[static_cast<size_t>(input)];
    PlannedBuffer& gradient = gradients_[static_cast<size_t>(input)];
    const bool again = training && backward_reads_input(graph.nodes[static_cast<size_t>(id)].kind);
    value.last = std::max(value.last, again ? backward(id) : id);
    gradient.first = std::min(gradient.first, backward(id));
  }

  void place(P& policy) {
    std::vector<PlannedBuffer> all = values_;
    for (size_t id = 0; id < wanted_.size(); ++id) {
      if (wanted_[id]) all.push_back(gradients_[id]);
    }
    arena_ = Memory<P>(policy, plan_arena(all, 256));
    size_t next = values_.size();
    for (size_t id = 0; id < wanted_.size(); ++id) {
      values_[id].offset = all[id].offset;
      if (wanted_[id]) gradients_[id].offset = all[next++].offset;
    }
  }

  const Fusion& fusion_;
  int nodes_;
  std::vector<bool> wanted_;
  std::vector<PlannedBuffer> values_,
      gradients_;  // of each node, [batch, elements]
  Memory<P> arena_;
};

}  // namespace lepton::cuda
