#include "engine/cpu/lower.h"

#include <algorithm>

#include "base/error.h"
#include "engine/cpu/conv.h"

namespace lepton::cpu {
namespace {

class Lowering {
 public:
  Lowering(const Graph& graph, NodeId target, bool training) : graph_(graph), target_(target), training_(training) {
    const size_t count = graph.nodes.size();
    consumers_.resize(count);
    needed_.resize(count, false);
    done_.resize(count, false);
    result_.value_of.assign(count, -1);
    mark(target);
    for (size_t id = 0; id < count; ++id) {
      if (!needed_[id]) continue;
      for (const NodeId input : graph.nodes[id].inputs) consumers_[at(input)].push_back(static_cast<NodeId>(id));
    }
  }

  Lowered run() {
    for (size_t id = 0; id < graph_.nodes.size(); ++id) {
      if (needed_[id] && !done_[id]) node(static_cast<NodeId>(id));
    }
    return std::move(result_);
  }

 private:
  static size_t at(NodeId id) { return static_cast<size_t>(id); }
  const Node& of(NodeId id) const { return graph_.nodes[at(id)]; }

  void mark(NodeId id) {
    if (needed_[at(id)]) return;
    needed_[at(id)] = true;
    for (const NodeId input : of(id).inputs) mark(input);
  }

  int new_value(NodeId id) {
    result_.values.push_back({map_of(of(id).shape)});
    return static_cast<int>(result_.values.size()) - 1;
  }

  // The node behind `id` if it alone reads it, so that both may become one step.
  NodeId follower(NodeId id) const {
    return id != target_ && consumers_[at(id)].size() == 1 ? consumers_[at(id)][0] : -1;
  }

  static Act act_of(LayerKind kind) {
    switch (kind) {
      case LayerKind::relu:
        return Act::relu;
      case LayerKind::gelu:
        return Act::gelu;
      case LayerKind::silu:
        return Act::silu;
      default:
        return Act::none;
    }
  }

  void node(NodeId id) {
    const Node& n = of(id);
    switch (n.kind) {
      case LayerKind::input:
        return input(id);
      case LayerKind::embed:
        return plain(id, StepKind::embed);
      case LayerKind::conv:
      case LayerKind::dwconv:
        return conv(id);
      case LayerKind::batchnorm:
        return norm(id);
      case LayerKind::relu:
      case LayerKind::gelu:
      case LayerKind::silu:
        return plain(id, StepKind::act, act_of(n.kind));
      case LayerKind::maxpool:
      case LayerKind::globalmax:
        return plain(id, StepKind::maxpool);
      case LayerKind::avgpool:
      case LayerKind::globalavg:
        return plain(id, StepKind::avgpool);
      case LayerKind::add:
        return plain(id, StepKind::add);
      case LayerKind::concat:
        return concat(id);
      case LayerKind::dropout:
        return training_ ? plain(id, StepKind::dropout) : alias(id);
      case LayerKind::mask:
        return plain(id, StepKind::mask);
      case LayerKind::scale:
        return plain(id, StepKind::scale);
      case LayerKind::flatten:
        return flatten(id);
      case LayerKind::dense:
        return plain(id, StepKind::dense);
    }
    fail(Exit::bug, "cpu: no step for layer {}", n.name);
  }

  void input(NodeId id) {
    const int value = new_value(id);
    const Map& map = result_.values.back().map;
    const bool only_convs =
        !consumers_[at(id)].empty() && std::all_of(consumers_[at(id)].begin(), consumers_[at(id)].end(),
                                                   [&](NodeId c) { return of(c).kind == LayerKind::conv; });
    result_.values.back().planar = only_convs && (map.c == 1 || map.c == 3);
    Step step{StepKind::input, id};
    finish(step, id, value);
  }

  void conv(NodeId id) {
    Step step{StepKind::conv, id};
    step.in = value(of(id).inputs[0]);
    NodeId last = id;
    NodeId next = follower(last);
    if (!training_ && next >= 0 && of(next).kind == LayerKind::batchnorm) {
      step.norm = last = next;
      next = follower(last);
    }
    // In training the backward pass of a fused activation must do without its input: only ReLU can.
    if (next >= 0 && (training_ ? of(next).kind == LayerKind::relu : act_of(of(next).kind) != Act::none)) {
      step.act = act_of(of(next).kind);
      last = next;
      next = follower(last);
    }
    if (!training_ && next >= 0 && of(next).kind == LayerKind::maxpool) {
      const LoweredValue& in = result_.values[at(step.in)];
      ConvSpec spec{in.map, map_of(of(id).shape), in.planar, of(id).attributes};
      spec.depthwise = of(id).kind == LayerKind::dwconv;
      spec.act = step.act;
      if (conv_pools(spec, of(next).attributes)) step.pool = last = next;
    }
    finish(step, last, new_value(last));
  }

  void norm(NodeId id) {
    Step step{StepKind::norm, id};
    step.in = value(of(id).inputs[0]);
    NodeId last = id;
    NodeId next = follower(last);
    if (next >= 0 && act_of(of(next).kind) != Act::none) {
      step.act = act_of(of(next).kind);
      last = next;
      next = follower(last);
    }
    if (next >= 0 && of(next).kind == LayerKind::add) {
      const NodeId other = of(next).inputs[0] == last ? of(next).inputs[1] : of(next).inputs[0];
      if (other < id) {
        step.skip = value(other);
        last = next;
      }
    }
    finish(step, last, new_value(last));
  }

  void plain(NodeId id, StepKind kind, Act act = Act::none) {
    Step step{kind, id};
    step.act = act;
    step.in = value(of(id).inputs[0]);
    if (kind == StepKind::add) step.skip = value(of(id).inputs[1]);
    finish(step, id, new_value(id));
  }

  void concat(NodeId id) {
    Step step{StepKind::concat, id};
    for (const NodeId input : of(id).inputs) step.others.push_back(value(input));
    step.in = step.others.front();
    step.others.erase(step.others.begin());
    finish(step, id, new_value(id));
  }

  void alias(NodeId id) {
    done_[at(id)] = true;
    result_.value_of[at(id)] = value(of(id).inputs[0]);
  }

  // Dense layers read blocked maps through permuted kernel rows, so that nothing is moved for them.
  void flatten(NodeId id) {
    const bool row = result_.values[at(value(of(id).inputs[0]))].map.pixels() == 1;
    const auto& readers = consumers_[at(id)];
    const bool only_dense =
        std::all_of(readers.begin(), readers.end(), [&](NodeId c) { return of(c).kind == LayerKind::dense; });
    if (row || only_dense) return alias(id);
    plain(id, StepKind::flatten);
  }

  int value(NodeId id) const { return result_.value_of[at(id)]; }

  // The step computes everything from its own node to `last`.
  void finish(Step step, NodeId last, int out) {
    step.out = out;
    result_.value_of[at(last)] = out;
    for (NodeId id = last; id != step.node; id = chain_before(id, step)) done_[at(id)] = true;
    done_[at(step.node)] = true;
    result_.steps.push_back(std::move(step));
  }

  NodeId chain_before(NodeId id, const Step& step) const {
    const std::vector<NodeId>& inputs = of(id).inputs;
    return inputs.size() == 2 && inputs[0] < step.node ? inputs[1] : inputs[0];
  }

  const Graph& graph_;
  NodeId target_;
  bool training_;
  std::vector<std::vector<NodeId>> consumers_;
  std::vector<bool> needed_, done_;
  Lowered result_;
};

}  // namespace

Lowered lower(const Graph& graph, NodeId target, bool training) { return Lowering(graph, target, training).run(); }

}  // namespace lepton::cpu
