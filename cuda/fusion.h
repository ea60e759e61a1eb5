#pragma once
// Which activations are computed with the layer before them, and what a convolution need not compute.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "net/graph.h"

namespace lepton::cuda {

// An activation that is the only reader of a batch-norm, or a relu that is that of a product, is computed with it: the
// value between them is never stored. Normalisation computes it again on the way back; a product's relu needs only its
// own result.
class Fusion {
 public:
  explicit Fusion(const Graph& graph)
      : activations_(graph.nodes.size(), kNone),
        producers_(graph.nodes.size(), kNone),
        pools_(producers_),
        extents_(graph.nodes.size()) {
    std::vector<int> readers(graph.nodes.size(), 0);
    for (const Node& node : graph.nodes) {
      for (const NodeId input : node.inputs) ++readers[static_cast<size_t>(input)];
    }
    for (NodeId id = 0; id <= graph.output(); ++id) {
      const Node& node = graph.nodes[static_cast<size_t>(id)];
      if (node.inputs.empty() || readers[static_cast<size_t>(node.inputs[0])] != 1) continue;
      if (!fits(graph.nodes[static_cast<size_t>(node.inputs[0])].kind, node.kind)) continue;
      producers_[static_cast<size_t>(id)] = node.inputs[0];
      activations_[static_cast<size_t>(node.inputs[0])] = id;
    }
    for (NodeId id = 0; id <= graph.output(); ++id) {
      const Node& node = graph.nodes[static_cast<size_t>(id)];
      if (node.kind != LayerKind::maxpool || readers[static_cast<size_t>(node.inputs[0])] != 1) continue;
      const NodeId source = done_with_another(node.inputs[0]) ? producer_of(node.inputs[0]) : node.inputs[0];
      crop(graph, source, id);
    }
  }

  // The activation that is computed with a node, or the layer that an activation is computed with; else kNone.
  NodeId activation_of(NodeId id) const { return activations_[static_cast<size_t>(id)]; }
  NodeId producer_of(NodeId id) const { return producers_[static_cast<size_t>(id)]; }
  bool done_with_another(NodeId id) const { return producer_of(id) != kNone; }
  // Where a node's value and gradient are.
  NodeId shown(NodeId id) const { return activation_of(id) == kNone ? id : activation_of(id); }

  // A maxpool often leaves out its input's last row and column. The rows and columns that it reads, where it is the
  // only reader of a convolution (and its relu), for both; {0, 0} elsewhere. The map between them then has that extent.
  struct Extent {
    int64_t height = 0, width = 0;
  };
  Extent cropped(NodeId id) const { return extents_[static_cast<size_t>(id)]; }
  // The pool for which a convolution is cropped, or kNone.
  NodeId cropping_pool(NodeId id) const { return pools_[static_cast<size_t>(id)]; }

  static constexpr NodeId kNone = -1;

 private:
  void crop(const Graph& graph, NodeId source, NodeId pool) {
    const Node &conv = graph.nodes[static_cast<size_t>(source)], &node = graph.nodes[static_cast<size_t>(pool)];
    const Attributes &c = conv.attributes, &a = node.attributes;
    if (conv.kind != LayerKind::conv || (c.kernel_h == 1 && c.kernel_w == 1)) return;  // 1x1: one product as it is
    const auto read = [](int64_t outputs, int64_t stride, int64_t pad, int64_t kernel, int64_t size) {
      return std::min((outputs - 1) * stride - pad + kernel, size);
    };
    const Extent kept{read(node.shape[0], a.stride_h, a.pad_top, a.kernel_h, conv.shape[0]),
                      read(node.shape[1], a.stride_w, a.pad_left, a.kernel_w, conv.shape[1])};
    if (kept.height == conv.shape[0] && kept.width == conv.shape[1]) return;
    extents_[static_cast<size_t>(source)] = extents_[static_cast<size_t>(pool)] = kept;
    pools_[static_cast<size_t>(source)] = pool;
  }

  static bool fits(LayerKind producer, LayerKind activation) {
    const bool any = activation == LayerKind::relu || activation == LayerKind::gelu || activation == LayerKind::silu;
    if (producer == LayerKind::batchnorm) return any;
    return (producer == LayerKind::conv || producer == LayerKind::dense) && activation == LayerKind::relu;
  }

  std::vector<NodeId> activations_, producers_, pools_;
  std::vector<Extent> extents_;
};

}  // namespace lepton::cuda
