#include <algorithm>
#include <chrono>
#include <iterator>

#include "base/error.h"
#include "engine/cpu/int8_plan.h"
#include "engine/cpu/plan.h"

namespace lepton::cpu {

InferencePlan::InferencePlan(const Graph& graph, const EngineOptions& options, NodeId target,
                             const ParameterSet& parameters, Int8Weights& shared)
    : texts_(graph, options.batch) {
  const Lowered lowered = lower(graph, target, false);
  std::vector<Value> values;
  for (const LoweredValue& v : lowered.values) {
    Value value{v.map, v.planar};
    value.buffer = arena_.add(options.batch * (v.planar ? v.map.pixels() * v.map.c : v.map.sample()));
    values.push_back(std::move(value));
  }
  if (options.precision == Precision::int8) {
    Int8Plan bytes(graph, options, lowered, target, values, parameters, arena_, shared);
    for (size_t i = 0; i < lowered.steps.size(); ++i) {
      std::vector<std::unique_ptr<Op>> ops = bytes.make(i);
      if (ops.empty()) build(graph, options, lowered.steps[i], values, parameters);
      std::move(ops.begin(), ops.end(), std::back_inserter(ops_));
      if (std::unique_ptr<Op> conversion = bytes.conversion(i)) ops_.push_back(std::move(conversion));
    }
  } else {
    for (const Step& step : lowered.steps) build(graph, options, step, values, parameters);
  }
  target_ = values[static_cast<size_t>(lowered.value_of[static_cast<size_t>(target)])];
  for (size_t i = 0; i < ops_.size(); ++i) {
    for (const int buffer : ops_[i]->forward_buffers) arena_.touch(buffer, static_cast<int>(i));
  }
  arena_.touch(target_.buffer, static_cast<int>(ops_.size()));
  arena_.plan();
  for (auto& op : ops_) op->bind(arena_);
}

void InferencePlan::build(const Graph& graph, const EngineOptions& options, const Step& step,
                          std::vector<Value>& values, const ParameterSet& parameters) {
  const Node& node = graph.nodes[static_cast<size_t>(step.node)];
  const Value& out = values[static_cast<size_t>(step.out)];
  if (step.kind == StepKind::input) {
    ops_.push_back(graph.tokens > 0 ? make_token_input(options, graph.input[0], out)
                                    : make_input(options, graph.input, out));
    return;
  }
  const Value& in = values[static_cast<size_t>(step.in)];
  const Value* skip = step.skip < 0 ? nullptr : &values[static_cast<size_t>(step.skip)];
  const int64_t batch = options.batch;
  switch (step.kind) {
    case StepKind::embed:
      ops_.push_back(make_inference_embed(step, node, batch, in, out, parameters));
      return;
    case StepKind::mask:
      ops_.push_back(make_mask(step, node, batch, in, out));
      return;
    case StepKind::conv: {
      const bool depthwise = node.kind == LayerKind::dwconv;
      ConvSpec spec{in.map, map_of(node.shape), in.planar, node.attributes, batch, depthwise, true, step.act};
      spec.bf16_products = options.precision == Precision::bf16 && !options.training && has_bf16();
      ops_.push_back(make_inference_conv(spec, graph, step, in, out, arena_, parameters));
      return;
    }
    case StepKind::norm:
      ops_.push_back(make_inference_norm(step, node, batch, in, skip, out, parameters));
      return;
    case StepKind::act:
      ops_.push_back(make_act(step, batch, in, out));
      return;
    case StepKind::maxpool:
    case StepKind::avgpool:
      ops_.push_back(make_pool(step, node, graph.nodes[static_cast<size_t>(node.inputs[0])], batch, false, false, in,
                               out, arena_));
      return;
    case StepKind::add:
      if (skip == nullptr) fail(Exit::bug, "cpu: an addition of one value");
      ops_.push_back(make_add(step.node, batch, in, in.buffer, skip->buffer, out.buffer));
      return;
    case StepKind::concat:
      ops_.push_back(make_concat(step, batch, inputs_of(step, values), out));
      return;
    case StepKind::scale:
      ops_.push_back(make_scale(step, node.attributes.factor, batch, in, out));
      return;
    case StepKind::flatten:
      ops_.push_back(make_flatten(step, batch, in, out));
      return;
    case StepKind::dense:
      ops_.push_back(make_inference_dense(step, node, batch, in, out, parameters));
      return;
    default:
      fail(Exit::bug, "cpu: no inference step for {}", node.name);
  }
}

void InferencePlan::run(const Batch& batch, std::span<float> values, Times* times) {
  const Run run{&batch, batch.n, 0, texts_.read(batch)};
  for (auto& op : ops_) {
    const auto begun = std::chrono::steady_clock::now();
    op->forward(run);
    if (times != nullptr) {
      (*times)[op->node] += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
    }
  }
  const Map& map = target_.map;
  const int64_t elements = map.pixels() * map.c;
  if (static_cast<int64_t>(values.size()) < batch.n * elements) {
    fail(Exit::bug, "cpu: room for {} values, {} wanted", values.size(), batch.n * elements);
  }
  const float* data = arena_.at(target_.buffer);
  for (int64_t s = 0; s < batch.n; ++s) unblock(map, data + s * map.sample(), values.data() + s * elements);
}

std::string InferencePlan::describe(const Graph& graph) const {
  std::string text;
  for (const auto& op : ops_) {
    const std::string line = op->describe();
    if (!line.empty()) text += fmt::format("  {}: {}\n", graph.nodes[static_cast<size_t>(op->node)].name, line);
  }
  return text;
}

}  // namespace lepton::cpu
