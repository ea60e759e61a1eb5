// The reference engine: the oracle of the tests. Every layer by itself, every value kept, double precision.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/reference/layers.h"
#include "engine/reference/loss.h"
#include "engine/reference/parameters.h"
#include "kernels/augment.h"
#include "kernels/dropout.h"
#include "kernels/norm.h"
#include "kernels/optimizer.h"
#include "kernels/reduce.h"
#include "kernels/sequence.h"

namespace lepton {
namespace reference {
namespace {

class ReferenceEngine : public Engine {
 public:
  ReferenceEngine(const Graph& graph, const EngineOptions& options)
      : graph_(graph), options_(options), parameters_(graph_, options.optimizer, options.training) {
    if (options.batch < 1) fail(Exit::usage, "reference: a batch of {}; at least 1 is needed", options.batch);
    if (options.precision != Precision::fp32) {
      fail(Exit::device, "reference: computes in double precision only; use --precision fp32");
    }
    const auto channels = static_cast<size_t>(graph.input[graph.input.rank() - 1]);
    if (graph.tokens > 0 && !(options.mean.empty() && options.std.empty())) {
      fail(Exit::mismatch, "reference: tokens have no mean and no standard deviation");
    }
    for (const auto& [values, what] : {std::pair(&options_.mean, "means"), {&options_.std, "standard deviations"}}) {
      if (!values->empty() && values->size() != channels) {
        fail(Exit::mismatch, "reference: {} {} for {} channels", values->size(), what, channels);
      }
    }
    values_.resize(graph.nodes.size());
    gradients_.resize(graph.nodes.size());
    moments_.resize(graph.nodes.size());
  }

  StepResult train_step(const Batch& batch, const StepSettings& settings) override {
    if (!options_.training) fail(Exit::bug, "reference: train_step on an engine compiled for inference");
    check_truth(batch, options_.loss, graph_.classes);
    StepResult result = run(batch, settings);
    const double norm = parameters_.gradient_norm(), clip = static_cast<double>(options_.optimizer.clip);
    result.finite = std::isfinite(norm) && std::isfinite(result.loss);
    if (clip > 0) result.gradient_norm = norm;
    if (!result.finite) return result;
    parameters_.update(settings, kernels::clip_factor(norm, clip));
    update_running_statistics(batch.n);
    return result;
  }

  void infer(const Batch& batch, NodeId node, std::span<float> values) override {
    forward(batch, node, false, 0, nullptr);
    const Values& result = values_[index(node)];
    if (values.size() < result.size()) {
      fail(Exit::bug, "reference: room for {} values, {} wanted", values.size(), result.size());
    }
    for (size_t i = 0; i < result.size(); ++i) values[i] = static_cast<float>(result[i]);
  }

  void load(const ParameterSet& parameters) override { parameters_.load(parameters); }
  ParameterSet save() const override { return parameters_.save(); }

  std::vector<LayerTime> profile(const Batch& batch) override {
    std::vector<LayerTime> times(graph_.nodes.size());
    for (size_t id = 0; id < times.size(); ++id) times[id].node = static_cast<NodeId>(id);
    if (options_.training) {
      check_truth(batch, options_.loss, graph_.classes);
      run(batch, {}, &times);
    } else {
      forward(batch, graph_.output(), false, 0, &times);
    }
    return times;
  }

  int64_t memory_bytes() const override {
    int64_t values = 0;
    for (const Node& node : graph_.nodes)
      values += options_.batch * node.shape.elements() * (options_.training ? 2 : 1);
    return values * static_cast<int64_t>(sizeof(double)) + parameters_.bytes();
  }

  std::string describe() const override {
    return fmt::format("reference: double precision, plain loops, 1 thread, batch {}, {}\n", options_.batch,
                       human_bytes(memory_bytes()));
  }

 private:
  using Times = std::vector<LayerTime>;
  static size_t index(NodeId node) { return static_cast<size_t>(node); }
  const Node& at(NodeId node) const { return graph_.nodes[index(node)]; }
  const Values& value(NodeId node, Role role) { return parameters_.find(node, role)->value; }
  Values& gradient(NodeId node, Role role) { return parameters_.find(node, role)->gradient; }
  const Values* bias(NodeId node) {
    const Slot* slot = parameters_.find(node, Role::bias);
    return slot == nullptr ? nullptr : &slot->value;
  }

  template <class F>
  static double milliseconds(F f) {
    const auto begun = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
  }

  // Forward, loss and backward; gradients are left in the slots.
  StepResult run(const Batch& batch, const StepSettings& settings, Times* times = nullptr) {
    forward(batch, graph_.output(), true, settings.step, times);
    parameters_.clear_gradients();
    for (size_t id = 0; id < gradients_.size(); ++id) gradients_[id].assign(values_[id].size(), 0.0);
    const StepResult result = loss(batch, settings);
    for (NodeId id = graph_.output(); id > 0; --id) {
      const double ms = milliseconds([&] { node_backward(id, batch.n, settings.step); });
      if (times != nullptr) (*times)[index(id)].backward_ms = ms;
    }
    return result;
  }

  void forward(const Batch& batch, NodeId last, bool training, int64_t step, Times* times) {
    if (batch.n < 1 || batch.n > options_.batch) {
      fail(Exit::bug, "reference: a batch of {} on an engine compiled for {}", batch.n, options_.batch);
    }
    for (NodeId id = 0; id <= last; ++id) {
      values_[index(id)].resize(static_cast<size_t>(batch.n * at(id).shape.elements()));
      const double ms = milliseconds([&] { node_forward(id, batch, training, step); });
      if (times != nullptr) (*times)[index(id)].forward_ms = ms;
    }
  }

  void node_forward(NodeId id, const Batch& batch, bool training, int64_t step) {
    const Node& node = at(id);
    Values& y = values_[index(id)];
    if (node.kind == LayerKind::input) return graph_.tokens > 0 ? tokens(batch, y) : input(batch, y);
    const Values& x = values_[index(node.inputs[0])];
    const Shape& in = at(node.inputs[0]).shape;
    switch (node.kind) {
      case LayerKind::input:
        return;
      case LayerKind::embed:
        return embed_forward(batch.tokens, value(id, Role::table), y);
      case LayerKind::conv:
        return conv_forward(node, in, batch.n, x, value(id, Role::kernel), bias(id), y);
      case LayerKind::dwconv:
        return dwconv_forward(node, in, batch.n, x, value(id, Role::kernel), bias(id), y);
      case LayerKind::dense:
        return dense_forward(batch.n, x, value(id, Role::kernel), bias(id), y);
      case LayerKind::globalmax:
      case LayerKind::globalavg:
        if (at(node.inputs[0]).token_stride > 0) {
          return text_pool_forward(node.kind, valid_positions(at(node.inputs[0])), in[2], x, y);
        }
        [[fallthrough]];
      case LayerKind::maxpool:
      case LayerKind::avgpool:
        return pool_forward(node, in, batch.n, x, y);
      case LayerKind::batchnorm:
        moments_[index(id)] = training ? moments(x, counted_rows(node, batch.n), in[in.rank() - 1])
                                       : Moments{value(id, Role::mean), value(id, Role::variance)};
        return norm_forward(static_cast<double>(node.attributes.epsilon), moments_[index(id)], value(id, Role::gamma),
                            value(id, Role::beta), x, y);
      case LayerKind::relu:
      case LayerKind::gelu:
      case LayerKind::silu:
        return activation_forward(node.kind, x, y);
      case LayerKind::dropout:
        return training ? drop(id, step, x, y) : static_cast<void>(y = x);
      case LayerKind::add:
        for (size_t i = 0; i < y.size(); ++i) y[i] = x[i] + values_[index(node.inputs[1])][i];
        return;
      case LayerKind::concat:
        return concat_forward(rows_of(node, batch.n), inputs_of(node), y);
      case LayerKind::mask:
        return mask_forward(valid_positions(node), in[2], x, y);
      case LayerKind::flatten:
        y = x;
        return;
      case LayerKind::scale:
        for (size_t i = 0; i < y.size(); ++i) y[i] = x[i] * static_cast<double>(node.attributes.factor);
        return;
    }
    fail(Exit::bug, "reference: no forward pass for {}", node.name);
  }

  // Adds to the gradients of the node's inputs and parameters.
  void node_backward(NodeId id, int64_t n, int64_t step) {
    const Node& node = at(id);
    const Values &dy = gradients_[index(id)], &x = values_[index(node.inputs[0])];
    const Shape& in = at(node.inputs[0]).shape;
    Values dx;
    switch (node.kind) {
      case LayerKind::input:
        return;
      case LayerKind::embed:
        embed_backward(tokens_, dy, gradient(id, Role::table));
        parameters_.find(id, Role::table)->tokens = tokens_;
        return;
      case LayerKind::conv:
        conv_backward(node, in, n, x, value(id, Role::kernel), dy, dx, gradient(id, Role::kernel));
        break;
      case LayerKind::dwconv:
        dwconv_backward(node, in, n, x, value(id, Role::kernel), dy, dx, gradient(id, Role::kernel));
        break;
      case LayerKind::dense:
        dense_backward(n, x, value(id, Role::kernel), dy, dx, gradient(id, Role::kernel));
        break;
      case LayerKind::globalmax:
      case LayerKind::globalavg:
        if (at(node.inputs[0]).token_stride > 0) {
          text_pool_backward(node.kind, valid_positions(at(node.inputs[0])), in[2], x, dy, dx);
          break;
        }
        [[fallthrough]];
      case LayerKind::maxpool:
      case LayerKind::avgpool:
        pool_backward(node, in, n, x, dy, dx);
        break;
      case LayerKind::batchnorm:
        norm_backward(static_cast<double>(node.attributes.epsilon), moments_[index(id)], value(id, Role::gamma),
                      counted_rows(node, n), x, dy, dx, gradient(id, Role::gamma), gradient(id, Role::beta));
        break;
      case LayerKind::relu:
      case LayerKind::gelu:
      case LayerKind::silu:
        activation_backward(node.kind, x, dy, dx);
        break;
      case LayerKind::dropout:
        dx.resize(dy.size());
        drop(id, step, dy, dx);
        break;
      case LayerKind::add:
        add_to(node.inputs[1], dy);
        dx = dy;
        break;
      case LayerKind::concat:
        return concat_gradients(node, n, dy);
      case LayerKind::mask:
        mask_forward(valid_positions(node), in[2], dy, dx);
        break;
      case LayerKind::flatten:
        dx = dy;
        break;
      case LayerKind::scale:
        for (const double d : dy) dx.push_back(d * static_cast<double>(node.attributes.factor));
        break;
    }
    if (bias(id) != nullptr) bias_backward(dy, gradient(id, Role::bias));
    add_to(node.inputs[0], dx);
  }

  // Of each sample, positions of the node's output that are no padding.
  Counts valid_positions(const Node& node) const {
    Counts valid;
    for (const int64_t length : lengths_) {
      valid.push_back(kernels::valid_positions(length, node.token_stride, node.shape[0]));
    }
    return valid;
  }

  // Rows [samples x pixels] of the node's output that batch-norm counts: all but padding.
  Counts counted_rows(const Node& node, int64_t n) const {
    const int64_t rows = rows_of(node, 1);
    const Counts valid = node.token_stride > 0 ? valid_positions(node) : Counts(static_cast<size_t>(n), rows);
    Counts counted;
    for (int64_t s = 0; s < n; ++s) {
      for (int64_t row = 0; row < valid[static_cast<size_t>(s)]; ++row) counted.push_back(s * rows + row);
    }
    return counted;
  }

  static int64_t rows_of(const Node& node, int64_t n) { return n * node.shape.elements() / channels_of(node); }
  static int64_t channels_of(const Node& node) { return node.shape[node.shape.rank() - 1]; }

  std::vector<const Values*> inputs_of(const Node& node) const {
    std::vector<const Values*> inputs;
    inputs.reserve(node.inputs.size());
    for (const NodeId input : node.inputs) inputs.push_back(&values_[index(input)]);
    return inputs;
  }

  void concat_gradients(const Node& node, int64_t n, const Values& dy) {
    int64_t first = 0;
    for (const NodeId input : node.inputs) {
      Values dx;
      concat_backward(rows_of(node, n), first, channels_of(at(input)), dy, dx);
      add_to(input, dx);
      first += channels_of(at(input));
    }
  }

  void add_to(NodeId node, const Values& dx) {
    for (size_t i = 0; i < dx.size(); ++i) gradients_[index(node)][i] += dx[i];
  }

  void tokens(const Batch& batch, Values& x) {
    check_tokens(batch, graph_);
    tokens_ = batch.tokens;
    lengths_.clear();
    for (int64_t s = 0; s < batch.n; ++s) {
      lengths_.push_back(kernels::text_length(batch.tokens.data() + s * graph_.input[0], graph_.input[0]));
    }
    std::copy(batch.tokens.begin(), batch.tokens.end(), x.begin());
  }

  void input(const Batch& batch, Values& x) const {
    const int64_t elements = graph_.input.elements();
    if (!batch.tokens.empty() || std::max(batch.images.size(), batch.rows.size()) != x.size()) {
      fail(Exit::mismatch, "reference: a batch of {} samples needs {} values of shape {}", batch.n, x.size(),
           graph_.input.to_string());
    }
    if (!batch.augment.empty() && batch.augment.size() != static_cast<size_t>(batch.n)) {
      fail(Exit::bug, "reference: {} augmentations for {} samples", batch.augment.size(), batch.n);
    }
    const int rank = graph_.input.rank();
    const int64_t channels = graph_.input[rank - 1], width = rank > 1 ? graph_.input[rank - 2] : 1;
    const kernels::InputFrame<double> frame{elements / channels, channels};
    const kernels::InputPixel<double> pixel{elements / channels / width, width, channels};
    for (size_t i = 0; i < x.size(); ++i) {
      const auto place = static_cast<int64_t>(i) % elements, sample = static_cast<int64_t>(i) / elements;
      const auto c = static_cast<size_t>(place % channels);  // of the sample's last axis, whatever the network reads
      const double mean = options_.mean.empty() ? 0 : static_cast<double>(options_.mean[c]);
      const double std = options_.std.empty() ? 1 : static_cast<double>(options_.std[c]);
      const Augment a = batch.augment.empty() ? Augment{} : batch.augment[static_cast<size_t>(sample)];
      if (batch.images.empty()) {
        x[i] = frame(batch.rows.data() + sample * elements, a, place / channels, place % channels, mean, std);
      } else {
        x[i] = pixel(batch.images.data() + sample * elements, a, place / channels / width, place / channels % width,
                     place % channels, mean, std);
      }
    }
  }

  void drop(NodeId id, int64_t step, const Values& from, Values& to) const {
    const kernels::Dropout dropout{options_.seed, static_cast<uint64_t>(step), id, at(id).attributes.rate};
    for (size_t i = 0; i < from.size(); ++i) to[i] = from[i] * static_cast<double>(dropout(i));
  }

  // Sets the gradient of the last node.
  StepResult loss(const Batch& batch, const StepSettings& settings) {
    const size_t last = index(graph_.output());
    return options_.loss == LossKind::mse
               ? squared_error(batch, settings, graph_.classes, values_[last], gradients_[last])
               : cross_entropy(batch, settings, graph_.classes, values_[last], gradients_[last]);
  }

  void update_running_statistics(int64_t n) {
    for (NodeId id = 0; id <= graph_.output(); ++id) {
      const Node& node = at(id);
      if (node.kind != LayerKind::batchnorm) continue;
      Values &mean = parameters_.find(id, Role::mean)->value, &variance = parameters_.find(id, Role::variance)->value;
      const auto keep = static_cast<double>(node.attributes.keep);
      const auto count = static_cast<int64_t>(counted_rows(node, n).size());
      for (size_t c = 0; c < mean.size(); ++c) {
        mean[c] = kernels::running(mean[c], moments_[index(id)].mean[c], keep);
        variance[c] = kernels::running(variance[c], kernels::unbiased(moments_[index(id)].variance[c], count), keep);
      }
    }
  }

  const Graph graph_;
  const EngineOptions options_;
  Parameters parameters_;
  std::vector<Values> values_, gradients_;  // of each node, [n, elements]
  std::vector<Moments> moments_;            // of each batch-norm in the latest forward pass
  std::span<const int32_t> tokens_;         // of the batch in work
  Counts lengths_;                          // of its texts
};

}  // namespace
}  // namespace reference

std::unique_ptr<Engine> compile_reference(const Graph& graph, const EngineOptions& options) {
  return std::make_unique<reference::ReferenceEngine>(graph, options);
}

}  // namespace lepton
