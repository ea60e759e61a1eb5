#include "engine/cpu/int8_plan.h"

#include <algorithm>

#include "base/error.h"
#include "engine/cpu/first_conv.h"

namespace lepton::cpu {
namespace {

// Below, a convolution has so few products that bytes save nothing.
constexpr int64_t kFewestChannels = 8;

bool not_negative(const Graph& graph, NodeId id) {
  const Node& node = graph.nodes[static_cast<size_t>(id)];
  switch (node.kind) {
    case LayerKind::relu:
      return true;
    case LayerKind::maxpool:
    case LayerKind::avgpool:
    case LayerKind::globalmax:
    case LayerKind::globalavg:
    case LayerKind::dropout:
    case LayerKind::flatten:
    case LayerKind::mask:
    case LayerKind::add:
    case LayerKind::concat:
      return std::all_of(node.inputs.begin(), node.inputs.end(), [&](NodeId i) { return not_negative(graph, i); });
    default:
      return false;
  }
}

}  // namespace

Int8Plan::Int8Plan(const Graph& graph, const EngineOptions& options, const Lowered& lowered, NodeId target,
                   std::vector<Value>& floats, const ParameterSet& parameters, Arena& arena, Int8Weights& weights)
    : graph_(graph),
      options_(options),
      lowered_(lowered),
      floats_(floats),
      parameters_(parameters),
      arena_(arena),
      weights_(weights),
      forms_(floats.size()),
      ranges_(floats.size()),
      positive_(floats.size()) {
  if (options.ranges.size() != graph.nodes.size()) {
    fail(Exit::bug, "cpu: {} ranges for {} nodes", options.ranges.size(), graph.nodes.size());
  }
  for (size_t id = 0; id < graph.nodes.size(); ++id) {
    const int value = lowered.value_of[id];
    if (value < 0) continue;
    const auto v = static_cast<size_t>(value);
    if (ranges_[v] == 0) ranges_[v] = options.ranges[id];
    positive_[v] = not_negative(graph, static_cast<NodeId>(id));
  }
  for (size_t v = 0; v < forms_.size(); ++v) {
    forms_[v].bytes.map = floats[v].map;
    forms_[v].bytes.format = ByteFormat::of_range(ranges_[v], !positive_[v]);
  }
  for (size_t i = 0; i < lowered.steps.size(); ++i) {
    const int out = lowered.steps[i].out;
    form(out).made_as_bytes = on_bytes_[i] = gives_bytes(i);
  }
  for (const Step& step : lowered.steps) note_reading(step);
  form(lowered.value_of[static_cast<size_t>(target)]).read_as_floats = true;
  // The first convolution computes in floats: it gives bytes only where nobody wants more.
  for (size_t i = 0; i < lowered.steps.size(); ++i) {
    const Step& step = lowered.steps[i];
    Form& out = form(step.out);
    const bool first = on_bytes_[i] && step.kind == StepKind::conv && !convs_.contains(i);
    if (first && (out.read_as_floats || !out.read_as_bytes)) out.made_as_bytes = on_bytes_[i] = false;
  }
  for (Form& f : forms_) {
    if (f.made_as_bytes || f.read_as_bytes) f.bytes.buffer = arena.add((options.batch * f.bytes.sample() + 3) / 4);
  }
}

ConvSpec Int8Plan::conv_spec(const Step& step) const {
  const Node& node = node_of(step);
  const Value& in = floats(step.in);
  return {in.map,  map_of(node.shape), in.planar, node.attributes, options_.batch, node.kind == LayerKind::dwconv, true,
          step.act};
}

bool Int8Plan::plans_conv(size_t index) {
  const Step& step = lowered_.steps[index];
  const ConvSpec spec = conv_spec(step);
  if (ranges_[static_cast<size_t>(step.out)] == 0 || spec.depthwise) return false;
  if (spec.planar) return first_conv_pays(spec);
  if (ranges_[static_cast<size_t>(step.in)] == 0 || spec.in.c < kFewestChannels) return false;
  ByteValue out = form(step.out).bytes;
  out.map = spec.out;
  const Shape& kernel = node_of(step).parameters[0].shape;
  auto plan = plan_int8_conv(spec, form(step.in).bytes, out, fold(graph_, step, parameters_), kernel);
  if (plan == nullptr) return false;
  convs_[index] = std::move(plan);
  return true;
}

// Whether the step's value is made as bytes, given how those before it are.
bool Int8Plan::gives_bytes(size_t index) {
  const Step& step = lowered_.steps[index];
  const bool known = ranges_[static_cast<size_t>(step.out)] > 0;
  switch (step.kind) {
    case StepKind::conv:
      return plans_conv(index);
    case StepKind::maxpool:
      if (graph_.tokens > 0 || !form(step.in).made_as_bytes) return false;
      form(step.out).bytes.format = form(step.in).bytes.format;
      return true;
    case StepKind::add:
      return known && form(step.in).made_as_bytes && ranges_[static_cast<size_t>(step.skip)] > 0;
    default:
      return false;
  }
}

bool Int8Plan::takes_bytes(const Step& step) const {
  return step.kind == StepKind::avgpool && graph_.tokens == 0 && form(step.in).made_as_bytes;
}

void Int8Plan::note_reading(const Step& step) {
  const auto index = static_cast<size_t>(&step - lowered_.steps.data());
  const bool first = step.kind == StepKind::conv && !convs_.contains(index);
  const bool bytes = (on_bytes_[index] && !first) || takes_bytes(step);
  step.over_inputs([&](int value) { (bytes ? form(value).read_as_bytes : form(value).read_as_floats) = true; });
}

std::vector<std::unique_ptr<Op>> Int8Plan::make(size_t index) {
  const Step& step = lowered_.steps[index];
  std::vector<std::unique_ptr<Op>> ops;
  const auto pool_shape_of = [&](NodeId pool, const Map& from) {
    return pool_shape(graph_.nodes[static_cast<size_t>(pool)], from, floats(step.out).map);
  };
  if (takes_bytes(step)) {
    const ByteValue& in = form(step.in).bytes;
    ops.push_back(make_int8_avgpool(step.node, options_.batch, pool_shape_of(step.node, in.map), in, floats(step.out)));
    return ops;
  }
  if (!on_bytes_[index]) return ops;
  const ByteValue& out = form(step.out).bytes;
  if (step.kind == StepKind::maxpool) {
    const ByteValue& in = form(step.in).bytes;
    ops.push_back(make_int8_maxpool(step.node, options_.batch, pool_shape_of(step.node, in.map), in, out));
  } else if (step.kind == StepKind::add) {
    ops.push_back(make_int8_add(step.node, options_.batch, form(step.in).bytes, form(step.skip).bytes, out));
  } else if (!convs_.contains(index)) {
    ops.push_back(
        make_first_conv_to_bytes(conv_spec(step), fold(graph_, step, parameters_), step, floats(step.in), out, arena_));
  } else {
    ByteValue whole = out;  // before its maxpool
    whole.map = map_of(node_of(step).shape);
    if (step.pool >= 0) whole.buffer = arena_.add((options_.batch * whole.sample() + 3) / 4);
    ops.push_back(make_int8_conv(convs_.at(index), step, form(step.in).bytes, whole, arena_, weights_));
    if (step.pool >= 0) {
      ops.push_back(make_int8_maxpool(step.node, options_.batch, pool_shape_of(step.pool, whole.map), whole, out));
    }
  }
  return ops;
}

std::unique_ptr<Op> Int8Plan::conversion(size_t index) {
  const Step& step = lowered_.steps[index];
  const Form& f = form(step.out);
  if (f.made_as_bytes && f.read_as_floats) return make_dequantise(step.node, options_.batch, f.bytes, floats(step.out));
  if (!f.made_as_bytes && f.read_as_bytes) return make_quantise(step.node, options_.batch, floats(step.out), f.bytes);
  return nullptr;
}

}  // namespace lepton::cpu
