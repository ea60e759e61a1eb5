#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "engine/cpu/plan.h"

namespace lepton::cpu {

TrainingPlan::TrainingPlan(const Graph& graph, const EngineOptions& options, Parameters& parameters)
    : graph_(graph),
      options_(options),
      parameters_(parameters),
      texts_(graph, options.batch),
      lowered_(lower(graph, graph.output(), true)) {
  if (options.precision == Precision::bf16 && has_bf16()) {
    const std::vector<LoweredValue> values = lowered_.values;
    lowered_ = stored_as_bf16(std::move(lowered_), [&](const Step& step) {
      const auto &in = values[static_cast<size_t>(step.in)], &out = values[static_cast<size_t>(step.out)];
      return has_bf16_conv(conv_spec(step, in.map, out.map, in.planar));
    });
  }
  add_values();
  for (size_t i = 0; i < lowered_.steps.size(); ++i) add_forward(i);
  Value& logits = values_[static_cast<size_t>(lowered_.steps.back().out)];
  loss_ = std::make_unique<Loss>(options.loss, options.batch, graph.classes, logits.map.sample());
  dlogits_ = arena_.add(options.batch * logits.map.sample());
  logits.gradients.push_back(dlogits_);
  readers_[dlogits_] = 1;
  for (size_t i = lowered_.steps.size(); i-- > 1;) add_backward(i);
  touch_all();
  arena_.plan();
  parameters_.allocate();
  for (auto& op : ops_) op->bind(arena_);
}

bool TrainingPlan::trains(const Step& step) const {
  if (step.kind == StepKind::cast) return false;
  const auto& parameters = graph_.nodes[static_cast<size_t>(step.node)].parameters;
  return std::any_of(parameters.begin(), parameters.end(), [](const Parameter& p) { return p.trainable; });
}

void TrainingPlan::add_values() {
  for (const LoweredValue& v : lowered_.values) {
    Value value{v.map, v.planar, v.element};
    const int64_t sample = v.planar ? v.map.pixels() * v.map.c : v.map.sample();
    value.buffer = arena_.add(floats_of(v.element, options_.batch * sample));
    values_.push_back(std::move(value));
  }
  for (const Step& step : lowered_.steps) {
    bool needs = trains(step);
    step.over_inputs([&](int value) { needs = needs || values_[static_cast<size_t>(value)].needs_gradient; });
    values_[static_cast<size_t>(step.out)].needs_gradient = needs;
  }
}

// True if a max-pool alone reads the convolution's ReLU: where the largest of a window is positive so was its input.
bool TrainingPlan::masked_by_pool(const Step& conv) const {
  if (conv.kind != StepKind::conv || conv.act != Act::relu) return false;
  int readers = 0, pools = 0;
  for (const Step& step : lowered_.steps) {
    step.over_inputs([&](int value) { readers += value == conv.out; });
    pools += step.in == conv.out && step.kind == StepKind::maxpool;
  }
  return readers == 1 && pools == 1;
}

ConvSpec TrainingPlan::conv_spec(const Step& step, const Map& in, const Map& out, bool planar) const {
  const Node& node = graph_.nodes[static_cast<size_t>(step.node)];
  const bool depthwise = node.kind == LayerKind::dwconv, bias = node.parameters.size() > 1;
  return {in, out, planar, node.attributes, options_.batch, depthwise, bias, step.act};
}

void TrainingPlan::add_forward(size_t index) {
  const Step& step = lowered_.steps[index];
  const Node& node = graph_.nodes[static_cast<size_t>(step.node)];
  const Value& out = values_[static_cast<size_t>(step.out)];
  const int64_t batch = options_.batch;
  if (step.kind == StepKind::input) {
    ops_.push_back(graph_.tokens > 0 ? make_token_input(options_, graph_.input[0], out)
                                     : make_input(options_, graph_.input, out));
    return;
  }
  const Value& in = values_[static_cast<size_t>(step.in)];
  const Value* skip = step.skip < 0 ? nullptr : &values_[static_cast<size_t>(step.skip)];
  switch (step.kind) {
    case StepKind::embed:
      ops_.push_back(make_embed(step, node, batch, in, out, parameters_));
      return;
    case StepKind::mask:
      ops_.push_back(make_mask(step, node, batch, in, out));
      return;
    case StepKind::conv: {
      TrainingConvSpec spec{conv_spec(step, in.map, out.map, in.planar)};
      spec.element = in.element;
      spec.masked = masked_by_pool(step);
      ops_.push_back(make_training_conv(spec, step, in, out, arena_, parameters_));
      return;
    }
    case StepKind::norm:
      ops_.push_back(make_norm(step, node, batch, in, skip, out, parameters_));
      return;
    case StepKind::act:
      ops_.push_back(make_act(step, batch, in, out));
      return;
    case StepKind::maxpool:
    case StepKind::avgpool: {
      const bool masked = std::any_of(lowered_.steps.begin(), lowered_.steps.end(),
                                      [&](const Step& s) { return s.out == step.in && masked_by_pool(s); });
      ops_.push_back(make_pool(step, node, graph_.nodes[static_cast<size_t>(node.inputs[0])], batch, true, masked, in,
                               out, arena_));
      return;
    }
    case StepKind::add:
      if (skip == nullptr) fail(Exit::bug, "cpu: an addition of one value");
      ops_.push_back(make_add(step.node, batch, in, in.buffer, skip->buffer, out.buffer));
      return;
    case StepKind::concat:
      ops_.push_back(make_concat(step, batch, inputs_of(step, values_), out));
      return;
    case StepKind::dropout:
      ops_.push_back(make_dropout(step, node.attributes.rate, options_.seed, batch, in, out));
      return;
    case StepKind::scale:
      ops_.push_back(make_scale(step, node.attributes.factor, batch, in, out));
      return;
    case StepKind::cast:
      ops_.push_back(make_cast(step, batch, in, out));
      return;
    case StepKind::flatten:
      ops_.push_back(make_flatten(step, batch, in, out));
      return;
    case StepKind::dense:
      ops_.push_back(make_dense(step, node, batch, in, out, parameters_));
      return;
    default:
      fail(Exit::bug, "cpu: no training step for {}", node.name);
  }
}

int TrainingPlan::new_gradient(int value) {
  Value& v = values_[static_cast<size_t>(value)];
  if (!v.needs_gradient) return -1;
  const int buffer = arena_.add(floats_of(v.element, options_.batch * v.map.sample()));
  v.gradients.push_back(buffer);
  readers_[buffer] = 1;
  return buffer;
}

// Sums the parts of a gradient down to at most `most` (1 or 2) buffers.
int TrainingPlan::merged(const Value& value, size_t most, int* second, NodeId node) {
  std::vector<int> gradients = value.gradients;
  while (gradients.size() > most) {
    const int sum = arena_.add(floats_of(value.element, options_.batch * value.map.sample()));
    readers_[sum] = 1;
    ops_.push_back(make_add(node, options_.batch, value, gradients[0], gradients[1], sum));
    backward_.push_back({ops_.back().get(), false});
    gradients.erase(gradients.begin());
    gradients[0] = sum;
  }
  *second = gradients.size() > 1 ? gradients[1] : -1;
  return gradients[0];
}

void TrainingPlan::add_backward(size_t index) {
  const Step& step = lowered_.steps[index];
  const Value& out = values_[static_cast<size_t>(step.out)];
  if (!out.needs_gradient || out.gradients.empty()) return;
  Op* op = ops_[index].get();
  auto* training = dynamic_cast<TrainingOp*>(op);
  int second = -1;
  const size_t most = training != nullptr && training->takes_two() ? 2 : 1;
  const int dy = merged(out, most, &second, step.node);
  const auto pass_on = [&](int value) {
    if (!values_[static_cast<size_t>(value)].needs_gradient) return;
    values_[static_cast<size_t>(value)].gradients.push_back(dy);
    ++readers_[dy];
  };
  if (step.skip >= 0) pass_on(step.skip);
  if (step.kind == StepKind::add) return pass_on(step.in);
  if (step.kind == StepKind::concat) {
    std::vector<int> parts;
    step.over_inputs([&](int value) { parts.push_back(new_gradient(value)); });
    static_cast<ConcatOp*>(op)->set_gradients(dy, parts);
    return static_cast<void>(backward_.push_back({op, true}));
  }
  const int dx = new_gradient(step.in);
  if (step.kind == StepKind::conv) {
    static_cast<TrainingConv*>(op)->add_backward(dy, dx, readers_[dy] > 1, arena_);
  } else {
    if (dx < 0 && !trains(step)) return;
    training->set_gradients(dy, second, dx);
  }
  backward_.push_back({op, true});
}

void TrainingPlan::touch_all() {
  int time = 0;
  for (size_t i = 0; i < lowered_.steps.size(); ++i, ++time) {
    for (const int buffer : ops_[i]->forward_buffers) arena_.touch(buffer, time);
  }
  arena_.touch(values_[static_cast<size_t>(lowered_.steps.back().out)].buffer, time);
  arena_.touch(dlogits_, time);
  for (const Call& call : backward_) {
    ++time;
    for (const int buffer : call.backward ? call.op->backward_buffers : call.op->forward_buffers) {
      arena_.touch(buffer, time);
    }
  }
}

LossResult TrainingPlan::run(Run run, float smoothing, double factor, Times* forward, Times* backward) {
  run.lengths = texts_.read(*run.batch);
  const auto timed = [](Times* times, NodeId node, auto call) {
    const auto begun = std::chrono::steady_clock::now();
    call();
    if (times == nullptr) return;
    (*times)[node] += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
  };
  for (size_t i = 0; i < lowered_.steps.size(); ++i) {
    timed(forward, ops_[i]->node, [&] { ops_[i]->forward(run); });
  }
  const float* logits = arena_.at(values_[static_cast<size_t>(lowered_.steps.back().out)].buffer);
  const LossResult result = loss_->run(*run.batch, logits, smoothing, factor, arena_.at(dlogits_));
  for (const Call& call : backward_) {
    timed(backward, call.op->node, [&] { call.backward ? call.op->backward(run) : call.op->forward(run); });
  }
  return result;
}

void TrainingPlan::commit() {
  for (auto& op : ops_) op->commit();
}

std::string TrainingPlan::describe(const Graph& graph) const {
  std::string text;
  for (const auto& op : ops_) {
    const std::string line = op->describe();
    if (!line.empty()) text += fmt::format("  {}: {}\n", graph.nodes[static_cast<size_t>(op->node)].name, line);
  }
  return text;
}

}  // namespace lepton::cpu
