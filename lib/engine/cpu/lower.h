#pragma once
// From graph nodes to the steps an engine executes, with neighbours fused.
#include <functional>
#include <vector>

#include "engine/cpu/layout.h"
#include "engine/cpu/simd.h"
#include "net/graph.h"

namespace lepton::cpu {

enum class StepKind {
  input,
  embed,
  conv,
  norm,
  act,
  maxpool,
  avgpool,
  add,
  concat,
  mask,
  dropout,
  scale,
  flatten,
  dense,
  cast  // to another type of numbers; the node is the reader's
};

// out = pool(add(act(norm(kind(in))), skip)); nodes that are -1 are not part of it.
struct Step {
  StepKind kind;
  NodeId node;       // that owns the step, and its time in a profile
  NodeId norm = -1;  // batch-norm folded into a convolution (inference only)
  Act act = Act::none;
  NodeId pool = -1;                  // maxpool computed with a convolution (inference only)
  int in = -1, skip = -1, out = -1;  // values
  std::vector<int> others = {};      // concat: the values behind `in`

  // Calls f(value) for each value read, a value read twice twice.
  template <class F>
  void over_inputs(F f) const {
    if (in >= 0) f(in);
    if (skip >= 0) f(skip);
    for (const int other : others) f(other);
  }
};

struct LoweredValue {
  Map map;
  bool planar = false;  // the network's input, kept [n][c][h][w] for a first convolution of few channels
  Element element = Element::fp32;
};

struct Lowered {
  std::vector<Step> steps;
  std::vector<LoweredValue> values;
  std::vector<int> value_of;  // node -> value, -1 if fused away or not needed
};

// The steps that compute `target`, whose value is kept whole.
Lowered lower(const Graph& graph, NodeId target, bool training);

// The same for training in bf16. Convolutions that `pays` names read and write bf16, others, embeddings, dense layers
// and the last step fp32; every other step writes what it reads. Between the two stand casts.
Lowered stored_as_bf16(Lowered lowered, const std::function<bool(const Step&)>& pays);

}  // namespace lepton::cpu
