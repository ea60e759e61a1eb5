#pragma once
// The CUDA engine, a template over a device policy (policy.h) and the type that values and gradients are stored as. N H
// W C; parameters, their gradients, statistics and losses are fp32.
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "cuda/fit.h"
#include "cuda/input.h"
#include "cuda/loss.h"
#include "cuda/loss_scale.h"
#include "cuda/lower.h"
#include "cuda/numbers.h"
#include "cuda/optimizer.h"
#include "cuda/recordings.h"
#include "cuda/squared_error.h"
#include "cuda/staging.h"
#include "cuda/texts.h"
#include "cuda/values.h"
#include "engine/engine.h"

namespace lepton::cuda {

template <class P, class T>
class CudaEngine : public Engine {
 public:
  CudaEngine(std::shared_ptr<P> policy, const Graph& graph, const EngineOptions& options)
      : policy_(std::move(policy)),
        graph_(graph),
        options_(checked(options)),
        parameters_(*policy_, graph_, options.batch, options.training),
        stored_(*policy_, parameters_),
        scale_(options_),
        fusion_(graph_),
        values_(*policy_, graph_, fusion_, options.batch, options.training),
        texts_(*policy_, graph_, options_),
        input_(*policy_, graph_.input, options),
        staging_(*policy_, graph_, options),
        numbers_(*policy_, options.training ? std::ssize(parameters_.slots) : 0),
        recordings_(*policy_) {
    int64_t work = 0;
    for (NodeId id = 0; id <= graph_.output(); ++id) {
      ops_.push_back(lower<P, T>(*policy_, graph_, id, options_, parameters_, stored_, fusion_, texts_));
      if (ops_.back()) work = std::max(work, ops_.back()->work_bytes());
    }
    work_ = Memory<P>(*policy_, work);
    if (options.training) {
      if (options.loss == LossKind::mse) {
        loss_ = std::make_unique<SquaredError<P, T>>(*policy_, options.batch, graph_.classes);
      } else {
        loss_ = std::make_unique<CrossEntropyLoss<P, T>>(*policy_, options.batch, graph_.classes);
      }
      optimizer_ = std::make_unique<Optimizer<P>>(*policy_, options.optimizer, parameters_,
                                                  options.precision != Precision::fp32);
    }
    policy_->finish();  // uploads beside would not wait for the zeroes of their targets
  }

  StepResult train_step(const Batch& batch, const StepSettings& settings) override {
    if (!optimizer_) fail(Exit::bug, "cuda: train_step on an engine compiled for inference");
    const size_t count = parameters_.slots.size();
    if (settings.rates.size() != count || settings.decays.size() != count) {
      fail(Exit::bug, "cuda: {} rates and {} decays for {} parameters", settings.rates.size(), settings.decays.size(),
           count);
    }
    const DeviceBatch on_device = take(batch);
    StepResult result;
    do {
      tell(on_device, batch, settings);
      recordings_.run(batch.n, [&] { work(batch.n); });
      staging_.begin();
      result = read_result(loss_weight(batch, options_.loss, graph_.classes));
    } while (!result.finite && std::isfinite(result.loss) && scale_.lower());
    if (!result.finite) return result;
    optimizer_->count_step();
    scale_.keep();
    return result;
  }

  void announce(const Batch& batch) override { staging_.announce(batch); }
  bool keep(int64_t n, const SampleReader& read) override { return staging_.keep(n, read); }

  void infer(const Batch& batch, NodeId node, std::span<float> values) override {
    if (!loaded_ && !options_.training && parameters_.total > 0) fail(Exit::bug, "cuda: inference before load");
    const int64_t count = batch.n * at(node).shape.elements();
    if (static_cast<int64_t>(values.size()) < count) {
      fail(Exit::bug, "cuda: room for {} values, {} wanted", values.size(), count);
    }
    numbers_.write({.batch = take_inputs(batch)});
    forward({.n = batch.n, .numbers = numbers_.on_device()}, node);
    if constexpr (std::is_same_v<T, float>) {
      policy_->download(values.data(), values_.value(node), count * static_cast<int64_t>(sizeof(T)));
    } else {
      std::vector<T> stored(static_cast<size_t>(count));
      policy_->download(stored.data(), values_.value(node), count * static_cast<int64_t>(sizeof(T)));
      std::copy(stored.begin(), stored.end(), values.begin());
    }
  }

  void load(const ParameterSet& set) override {
    std::vector<float> host(static_cast<size_t>(parameters_.total), 0.0F);
    for (const Slot& slot : parameters_.slots) set_plain(slot, host, set.at(slot.ref.name));
    parameters_.put(parameters_.values, host);
    stored_.refresh();
    if (optimizer_) optimizer_->load(set);
    scale_.load(set);
    recordings_.clear();
    loaded_ = true;
  }

  ParameterSet save() const override {
    ParameterSet set;
    if (!loaded_ && !options_.training) return set;
    const std::vector<float> host = parameters_.fetched(parameters_.values);
    for (const Slot& slot : parameters_.slots) set.tensors.push_back(plain(slot, host, ""));
    if (optimizer_) optimizer_->save(set);
    if (optimizer_) scale_.save(set);
    return set;
  }

  std::vector<LayerTime> profile(const Batch& batch) override {
    std::vector<LayerTime> times(graph_.nodes.size());
    for (size_t id = 0; id < times.size(); ++id) times[id].node = static_cast<NodeId>(id);
    tell(take(batch), batch, {});
    const Pass pass{.n = batch.n, .training = options_.training, .numbers = numbers_.on_device()};
    forward(pass, graph_.output(), &times);
    if (options_.training) {
      lose(pass);
      backward(pass, &times);
    }
    policy_->finish();
    return times;
  }

  int64_t memory_bytes() const override { return policy_->budget.used(); }

  std::string describe() const override {
    std::string text = fmt::format("{}, {}, batch {}, {}", policy_->describe(),
                                   kPrecisionNames[static_cast<size_t>(options_.precision)], options_.batch,
                                   human_bytes(memory_bytes()));
    if (options_.memory_limit > 0) text += fmt::format(" of {}", human_bytes(options_.memory_limit));
    if (options_.window_bytes < EngineOptions{}.window_bytes) {
      text += fmt::format(", windows in {} at a time", human_bytes(options_.window_bytes));
    }
    text += '\n';
    for (size_t id = 0; id < ops_.size(); ++id) {
      const std::string how = ops_[id] ? ops_[id]->describe() : "";
      if (!how.empty()) text += fmt::format("cuda: {}: {}\n", graph_.nodes[id].name, how);
    }
    return text;
  }

 private:
  using Times = std::vector<LayerTime>;
  const Node& at(NodeId node) const { return graph_.nodes[static_cast<size_t>(node)]; }

  static EngineOptions checked(EngineOptions options) {
    if (options.batch < 1) fail(Exit::usage, "cuda: a batch of {}; at least 1 is needed", options.batch);
    return options;
  }

  template <class F>
  double milliseconds(bool timed, F f) {
    if (!timed) {
      f();
      return 0;
    }
    policy_->finish();
    const auto begun = std::chrono::steady_clock::now();
    f();
    policy_->finish();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
  }

  // A batch to train on, or to pretend to.
  DeviceBatch take(const Batch& batch) {
    if (options_.training) check_truth(batch, options_.loss, graph_.classes);
    return options_.training ? staging_.take(batch) : take_inputs(batch);
  }
  // A batch without what it is trained on.
  DeviceBatch take_inputs(Batch batch) {
    batch.labels = {}, batch.targets = {}, batch.weights = {};
    return staging_.take(batch);
  }

  // All that the work of a step does not know by itself.
  void tell(const DeviceBatch& on_device, const Batch& batch, const StepSettings& settings) {
    StepNumbers numbers{.batch = on_device, .step = static_cast<uint64_t>(settings.step)};
    numbers.weight = options_.training ? loss_weight(batch, options_.loss, graph_.classes) : 0;
    numbers.smoothing = settings.label_smoothing;
    numbers.scale = scale_.value();
    const double share = settings.sum_loss ? 1 : (numbers.weight > 0 ? 1 / numbers.weight : 0);
    numbers.share = static_cast<float>(share * static_cast<double>(numbers.scale));
    if (optimizer_) optimizer_->prepare(numbers);
    numbers_.write(numbers, settings.rates, settings.decays);
  }

  // A step on the device, whatever tell() said: of the host's numbers it may depend on n alone (recordings.h).
  void work(int64_t n) {
    Pass pass{.n = n, .training = true, .numbers = numbers_.on_device(), .verdict = numbers_.verdict()};
    forward(pass, graph_.output());
    const double* sums = lose(pass);
    backward(pass, nullptr);
    const double* square = optimizer_->measure_gradient();
    policy_->launch(1, Judge{pass.numbers, sums, square, clip(), numbers_.verdict()});
    optimizer_->update({numbers_.rates(), numbers_.decays(), pass.numbers, pass.verdict});
    stored_.refresh();
    for (const auto& op : ops_) {
      if (op) op->commit(*policy_, pass);
    }
  }

  double clip() const { return static_cast<double>(options_.optimizer.clip); }

  StepResult read_result(double weight) {
    const Verdict verdict = numbers_.read_verdict();
    StepResult result;
    result.loss = weight > 0 ? verdict.loss / weight : 0;
    result.correct = static_cast<int64_t>(verdict.correct);
    result.finite = verdict.go != 0;
    if (clip() > 0) result.gradient_norm = gradient_norm(verdict.square, scale_.value());
    return result;
  }

  const double* lose(const Pass& pass) {
    const NodeId logits = graph_.output();
    return loss_->run(*policy_, pass.n, pass.numbers, values_.value(logits), values_.gradient(logits));
  }

  void forward(const Pass& pass, NodeId last, Times* times = nullptr) {
    for (NodeId id = 0; id <= last; ++id) {
      if (fusion_.done_with_another(id)) continue;
      const auto which = static_cast<size_t>(id);
      const double ms = milliseconds(times != nullptr, [&] {
        if (!ops_[which]) return read(pass, values_.value(id));
        Pass own = pass;
        own.activate = fusion_.activation_of(id) <= last;
        own.crop = fusion_.cropping_pool(id) <= last;
        ops_[which]->forward(*policy_, own, buffers(id));
      });
      if (times != nullptr) (*times)[which].forward_ms = ms;
    }
  }

  void read(const Pass& pass, T* x) {
    if (graph_.tokens > 0) return texts_.read(*policy_, pass.n, pass.numbers, x);
    input_.run(*policy_, pass.n, pass.numbers, x);
  }

  void backward(const Pass& pass, Times* times) {
    std::vector<bool> written(graph_.nodes.size(), false);
    for (NodeId id = graph_.output(); id > 0; --id) {
      if (!values_.wanted(id) || fusion_.done_with_another(id)) continue;
      Buffers<T> b = buffers(id);
      for (size_t i = 0; i < at(id).inputs.size(); ++i) {
        const NodeId input = at(id).inputs[i];
        if (!values_.wanted(input)) continue;
        b.dx[i] = values_.gradient(input);
        b.add[i] = written[static_cast<size_t>(input)];
        written[static_cast<size_t>(input)] = true;
      }
      const auto which = static_cast<size_t>(id);
      const double ms = milliseconds(times != nullptr, [&] { ops_[which]->backward(*policy_, pass, b); });
      if (times != nullptr) (*times)[which].backward_ms = ms;
    }
  }

  Buffers<T> buffers(NodeId id) const {
    Buffers<T> b;
    const std::vector<NodeId>& inputs = at(id).inputs;
    for (const NodeId input : inputs) b.x.push_back(values_.value(input));
    b.dx.resize(inputs.size());
    b.add.resize(inputs.size());
    b.y = values_.value(id);
    b.dy = values_.gradient(id);
    b.work = work_.template as<void>();
    return b;
  }

  std::shared_ptr<P> policy_;  // first: the memory below goes back to it
  const Graph graph_;
  const EngineOptions options_;
  Parameters<P> parameters_;
  Stored<P, T> stored_;
  LossScale scale_;
  Fusion fusion_;
  Values<P, T> values_;
  Texts<P> texts_;
  Input<P, T> input_;
  Staging<P> staging_;
  Numbers<P> numbers_;
  Recordings<P> recordings_;
  std::vector<std::unique_ptr<Op<P, T>>> ops_;  // of each node
  Memory<P> work_;
  std::unique_ptr<LossOp<P, T>> loss_;
  std::unique_ptr<Optimizer<P>> optimizer_;
  bool loaded_ = false;
};

// Of its own, so that each can be compiled by itself.
template <class P, class T>
std::unique_ptr<Engine> engine_of(std::shared_ptr<P> policy, const Graph& graph, const EngineOptions& options) {
  return std::make_unique<CudaEngine<P, T>>(std::move(policy), graph, options);
}

// The engine of options.precision.
template <class P>
std::unique_ptr<Engine> engine_for(const std::shared_ptr<P>& policy, const Graph& graph, const EngineOptions& options) {
  switch (options.precision) {
    case Precision::fp32:
    case Precision::tf32:
      return engine_of<P, float>(policy, graph, options);
    case Precision::bf16:
      return engine_of<P, Bf16>(policy, graph, options);
    case Precision::fp16:
      return engine_of<P, Half>(policy, graph, options);
    case Precision::int8:
      fail(Exit::device, "cuda: has no int8; use --precision bf16 or --device cpu");
  }
  fail(Exit::bug, "cuda: no such precision");
}

// The same within options.memory_limit.
template <class P>
std::unique_ptr<Engine> make_engine(std::unique_ptr<P> given, const Graph& graph, const EngineOptions& options) {
  const std::shared_ptr<P> policy = std::move(given);
  if (options.memory_limit == 0) return engine_for(policy, graph, options);
  policy->budget.limit(options.memory_limit);
  return fitted(graph, options, [&](const EngineOptions& tried) -> std::unique_ptr<Engine> {
    try {
      return engine_for(policy, graph, tried);
    } catch (const Error&) {
      if (!policy->budget.refused()) throw;
      return nullptr;
    }
  });
}

}  // namespace lepton::cuda
