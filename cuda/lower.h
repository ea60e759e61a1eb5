#pragma once
// From a node to its op.
#include <memory>
#include <vector>

#include "base/error.h"
#include "cuda/concat.h"
#include "cuda/depthwise.h"
#include "cuda/fusion.h"
#include "cuda/norm.h"
#include "cuda/op.h"
#include "cuda/parameters.h"
#include "cuda/pointwise.h"
#include "cuda/pool.h"
#include "cuda/products.h"
#include "cuda/text_layers.h"
#include "cuda/texts.h"
#include "engine/engine.h"
#include "net/graph.h"

namespace lepton::cuda {

template <class P, class T>
std::unique_ptr<Op<P, T>> lower_norm(P& policy, const Graph& graph, NodeId id, const EngineOptions& options,
                                     const Parameters<P>& parameters, const Texts<P>& texts, NodeId activation) {
  const Node& node = graph.nodes[static_cast<size_t>(id)];
  const auto with = [&]<class A>(A) -> std::unique_ptr<Op<P, T>> {
    return std::make_unique<NormOp<P, T, A>>(policy, node, id, parameters, texts.of(id), options.batch,
                                             options.training);
  };
  if (activation == Fusion::kNone) return with(Identity{});
  switch (graph.nodes[static_cast<size_t>(activation)].kind) {
    case LayerKind::relu:
      return with(kernels::Relu<float>{});
    case LayerKind::gelu:
      return with(kernels::Gelu<float>{});
    case LayerKind::silu:
      return with(kernels::Silu<float>{});
    default:
      fail(Exit::bug, "cuda: no norm with {}", graph.nodes[static_cast<size_t>(activation)].name);
  }
}

inline Shape cropped_input(const Shape& in, Fusion::Extent extent) {
  return extent.height > 0 ? Shape{extent.height, extent.width, in[2]} : in;
}

template <class P, class T>
std::unique_ptr<Op<P, T>> lower_concat(const Graph& graph, const Node& node) {
  std::vector<int64_t> channels;
  for (const NodeId input : node.inputs) {
    const Shape& in = graph.nodes[static_cast<size_t>(input)].shape;
    channels.push_back(in[in.rank() - 1]);
  }
  return std::make_unique<ConcatOp<P, T>>(channels, node.shape.elements() / node.shape[node.shape.rank() - 1]);
}

// nullptr for the input, and for an activation computed with another layer.
template <class P, class T>
std::unique_ptr<Op<P, T>> lower(P& policy, const Graph& graph, NodeId id, const EngineOptions& options,
                                const Parameters<P>& parameters, const Stored<P, T>& stored, const Fusion& fusion,
                                const Texts<P>& texts) {
  const Node& node = graph.nodes[static_cast<size_t>(id)];
  if (node.kind == LayerKind::input || fusion.done_with_another(id)) return nullptr;
  const NodeId activation = fusion.activation_of(id);
  const Shape& in = graph.nodes[static_cast<size_t>(node.inputs[0])].shape;
  const int64_t elements = node.shape.elements();
  const bool global = node.kind == LayerKind::globalmax || node.kind == LayerKind::globalavg;
  if (const Valid valid = texts.of(node.inputs[0]); global && valid.lengths != nullptr) {
    return std::make_unique<TextPoolOp<P, T>>(policy, node.kind, in, valid, options.batch, options.training);
  }
  switch (node.kind) {
    case LayerKind::input:
      break;
    case LayerKind::conv:
      return std::make_unique<ProductOp<P, T>>(conv_shape(node, in), fusion.cropped(id), id, parameters, stored,
                                               options, activation != Fusion::kNone);
    case LayerKind::dense:
      return std::make_unique<ProductOp<P, T>>(dense_shape(in.elements(), elements), Fusion::Extent{}, id, parameters,
                                               stored, options, activation != Fusion::kNone);
    case LayerKind::maxpool:
    case LayerKind::globalmax:
      return std::make_unique<MaxPoolOp<P, T>>(policy, node, cropped_input(in, fusion.cropped(id)), options.batch,
                                               options.training);
    case LayerKind::avgpool:
    case LayerKind::globalavg:
      return std::make_unique<AvgPoolOp<P, T>>(node, in);
    case LayerKind::batchnorm:
      return lower_norm<P, T>(policy, graph, id, options, parameters, texts, activation);
    case LayerKind::relu:
      return std::make_unique<ActivationOp<P, T, kernels::Relu<float>>>(elements);
    case LayerKind::gelu:
      return std::make_unique<ActivationOp<P, T, kernels::Gelu<float>>>(elements);
    case LayerKind::silu:
      return std::make_unique<ActivationOp<P, T, kernels::Silu<float>>>(elements);
    case LayerKind::dropout:
      return std::make_unique<DropoutOp<P, T>>(elements, id, node.attributes.rate, options.seed);
    case LayerKind::add:
      return std::make_unique<AddOp<P, T>>(elements);
    case LayerKind::flatten:
      return std::make_unique<ScaleOp<P, T>>(elements, 1.0F);
    case LayerKind::scale:
      return std::make_unique<ScaleOp<P, T>>(elements, node.attributes.factor);
    case LayerKind::embed:
      return std::make_unique<EmbedOp<P, T>>(id, parameters, texts, node.shape[2]);
    case LayerKind::dwconv:
      return std::make_unique<DepthwiseOp<P, T>>(conv_shape(node, in), id, parameters, options.batch);
    case LayerKind::concat:
      return lower_concat<P, T>(graph, node);
    case LayerKind::mask:
      return std::make_unique<MaskOp<P, T>>(node.shape, texts.of(id));
  }
  fail(Exit::bug, "cuda: no op for {}", node.name);
}

}  // namespace lepton::cuda
