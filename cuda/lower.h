#pragma once
// From a node to its op.
#include <memory>

#include "base/error.h"
#include "cuda/norm.h"
#include "cuda/op.h"
#include "cuda/parameters.h"
#include "cuda/pointwise.h"
#include "cuda/pool.h"
#include "cuda/products.h"
#include "engine/engine.h"
#include "net/graph.h"

namespace lepton::cuda {

// nullptr for the input.
template <class P>
std::unique_ptr<Op<P>> lower(P& policy, const Graph& graph, NodeId id, const EngineOptions& options,
                             const Parameters<P>& parameters) {
  const Node& node = graph.nodes[static_cast<size_t>(id)];
  if (node.kind == LayerKind::input) return nullptr;
  const Shape& in = graph.nodes[static_cast<size_t>(node.inputs[0])].shape;
  const int64_t elements = node.shape.elements();
  switch (node.kind) {
    case LayerKind::input:
      break;
    case LayerKind::conv:
      return std::make_unique<ProductOp<P>>(conv_shape(node, in), id, parameters, options.batch);
    case LayerKind::dense:
      return std::make_unique<ProductOp<P>>(dense_shape(in.elements(), elements), id, parameters, options.batch);
    case LayerKind::maxpool:
    case LayerKind::globalmax:
      return std::make_unique<MaxPoolOp<P>>(policy, node, in, options.batch, options.training);
    case LayerKind::avgpool:
    case LayerKind::globalavg:
      return std::make_unique<AvgPoolOp<P>>(node, in);
    case LayerKind::batchnorm:
      return std::make_unique<NormOp<P>>(policy, node, id, parameters, options.batch, options.training);
    case LayerKind::relu:
      return std::make_unique<ActivationOp<P, kernels::Relu<float>>>(elements);
    case LayerKind::gelu:
      return std::make_unique<ActivationOp<P, kernels::Gelu<float>>>(elements);
    case LayerKind::silu:
      return std::make_unique<ActivationOp<P, kernels::Silu<float>>>(elements);
    case LayerKind::dropout:
      return std::make_unique<DropoutOp<P>>(elements, id, node.attributes.rate, options.seed);
    case LayerKind::add:
      return std::make_unique<AddOp<P>>(elements);
    case LayerKind::flatten:
      return std::make_unique<ScaleOp<P>>(elements, 1.0F);
    case LayerKind::scale:
      return std::make_unique<ScaleOp<P>>(elements, node.attributes.factor);
    case LayerKind::embed:
    case LayerKind::dwconv:
    case LayerKind::concat:
    case LayerKind::mask:
      fail(Exit::device, "cuda: layer `{}` ({}) is not there yet; use --device cpu", kind_name(node.kind), node.name);
  }
  fail(Exit::bug, "cuda: no op for {}", node.name);
}

}  // namespace lepton::cuda
