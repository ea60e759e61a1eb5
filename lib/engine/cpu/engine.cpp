// The CPU engine: oneDNN for convolutions and matrix products, own loops for the rest, on one pool of OpenMP threads.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "engine/cpu/optimizer.h"
#include "engine/cpu/plan.h"
#include "engine/cpu/threads.h"

namespace lepton {
namespace cpu {
namespace {

// A batch of less is answered sooner by one thread than by several that must first meet.
constexpr double kAloneFlops = 1e7;

class CpuEngine : public Engine {
 public:
  CpuEngine(const Graph& graph, const EngineOptions& options, Communicator* communicator)
      : graph_(graph), options_(options), communicator_(communicator) {
    check_precision();
    if (options.batch < 1) fail(Exit::usage, "cpu: a batch of {}; at least 1 is needed", options.batch);
    const bool small = static_cast<double>(options.batch) * static_cast<double>(graph.forward_flops()) < kAloneFlops;
    if (!options.training && small) options_.threads = 1;
    const ThreadScope scope(options_.threads);
    threads_ = thread_count();
    if (graph.tokens > 0 && communicator != nullptr && communicator->size() > 1) {
      fail(Exit::device, "cpu: the rows of `embed` are not summed over ranks; train on one");
    }
    if (!options.training) return;
    parameters_ = std::make_unique<Parameters>(graph_);
    training_ = std::make_unique<TrainingPlan>(graph_, options_, *parameters_);
    optimizer_ = std::make_unique<Optimizer>(options.optimizer, *parameters_);
  }

  StepResult train_step(const Batch& batch, const StepSettings& settings) override {
    if (!training_) fail(Exit::bug, "cpu: train_step on an engine compiled for inference");
    check(batch);
    check_truth(batch, options_.loss, graph_.classes);
    const ThreadScope scope(options_.threads);
    double sums[] = {loss_weight(batch, options_.loss, graph_.classes)};
    sum_over_ranks(sums);
    const double factor = settings.sum_loss ? 1 : (sums[0] > 0 ? 1 / sums[0] : 0);
    const LossResult loss = training_->run({&batch, batch.n, settings.step}, settings.label_smoothing, factor);
    StepResult result = total(loss, sums[0]);
    if (communicator_ != nullptr) {
      communicator_->sum({parameters_->gradients.data(), static_cast<size_t>(parameters_->total)});
    }
    const double norm = optimizer_->gradient_norm();
    result.finite = std::isfinite(norm) && std::isfinite(result.loss);
    const double clip = static_cast<double>(options_.optimizer.clip);
    if (clip > 0) result.gradient_norm = norm;
    if (!result.finite) return result;
    optimizer_->update(settings, clip > 0 && norm > clip ? static_cast<float>(clip / norm) : 1.0F);
    training_->commit();
    if (communicator_ != nullptr) average_statistics();
    stale();
    return result;
  }

  void infer(const Batch& batch, NodeId node, std::span<float> values) override {
    check(batch);
    const ThreadScope scope(options_.threads);
    plan_for(node).run(batch, values);
  }

  void load(const ParameterSet& parameters) override {
    const ThreadScope scope(options_.threads);
    stale();
    if (!training_) {
      held_.tensors.clear();
      for (const ParameterRef& ref : parameters_of(graph_)) {
        const NamedTensor& tensor = parameters.at(ref.name);
        const Shape& shape =
            graph_.nodes[static_cast<size_t>(ref.node)].parameters[static_cast<size_t>(ref.index)].shape;
        if (!(tensor.shape == shape) || static_cast<int64_t>(tensor.values.size()) != shape.elements()) {
          fail(Exit::mismatch, "cpu: {} has shape {}, the network wants {}", tensor.name, tensor.shape.to_string(),
               shape.to_string());
        }
        held_.tensors.push_back(tensor);
      }
      if (!held_.tensors.empty()) plan_for(graph_.output());
      return;
    }
    for (const Slot& slot : parameters_->slots) {
      parameters_->set_plain(slot, parameters_->values, parameters.at(slot.ref.name));
    }
    optimizer_->load(parameters);
  }

  ParameterSet save() const override {
    if (!training_) return held_;
    const ThreadScope scope(options_.threads);
    ParameterSet set = plain();
    optimizer_->save(set);
    return set;
  }

  std::vector<LayerTime> profile(const Batch& batch) override {
    check(batch);
    const ThreadScope scope(options_.threads);
    Times forward, backward;
    if (training_) {
      check_truth(batch, options_.loss, graph_.classes);
      training_->run({&batch, batch.n, 0}, 0, 1, &forward, &backward);
    } else {
      std::vector<float> values(static_cast<size_t>(batch.n * graph_.classes));
      plan_for(graph_.output()).run(batch, values, &forward);
    }
    std::vector<LayerTime> times;
    for (size_t id = 0; id < graph_.nodes.size(); ++id) {
      const auto node = static_cast<NodeId>(id);
      times.push_back({node, forward[node], backward[node]});
    }
    return times;
  }

  int64_t memory_bytes() const override {
    int64_t bytes = 0;
    for (const auto& [node, plan] : plans_) bytes += plan->bytes();
    for (const NamedTensor& tensor : held_.tensors) bytes += static_cast<int64_t>(tensor.values.size() * sizeof(float));
    if (!training_) return bytes;
    return bytes + training_->bytes() + optimizer_->bytes() +
           (parameters_->values.size() + parameters_->gradients.size() + parameters_->table.rows.size()) *
               static_cast<int64_t>(sizeof(float));
  }

  std::string describe() const override {
    std::string text =
        fmt::format("cpu: oneDNN, {} and {} lanes, {} threads, batch {}, {}{}\n", simd().name, simd().lanes, threads_,
                    options_.batch, bf16() ? "bf16, " : "", human_bytes(memory_bytes()));
    if (options_.precision == Precision::bf16 && !bf16()) text += fmt::format("cpu: {}\n", kNoBf16);
    if (*spin_setting() != '\0') text += fmt::format("cpu: {}\n", spin_setting());
    if (training_) text += training_->describe(graph_);
    const auto answer = plans_.find(graph_.output());
    if (!training_ && answer != plans_.end()) text += answer->second->describe(graph_);
    return text;
  }

 private:
  bool bf16() const { return options_.precision == Precision::bf16 && has_bf16(); }

  void check_precision() const {
    if (options_.precision == Precision::tf32 || options_.precision == Precision::fp16) {
      fail(Exit::device, "cpu: computes in fp32 or bf16, not in {}; use --precision fp32 or bf16",
           kPrecisionNames[static_cast<size_t>(options_.precision)]);
    }
    if (options_.precision == Precision::int8 && options_.training) {
      fail(Exit::usage, "cpu: int8 is for inference; train with --precision fp32 or bf16");
    }
  }

  void check(const Batch& batch) const {
    if (batch.n < 1 || batch.n > options_.batch) {
      fail(Exit::bug, "cpu: a batch of {} on an engine compiled for {}", batch.n, options_.batch);
    }
  }

  ParameterSet plain() const {
    ParameterSet set;
    for (const Slot& slot : parameters_->slots) {
      set.tensors.push_back(parameters_->plain(slot, parameters_->values, ""));
    }
    return set;
  }

  // Inference plans hold folded copies of the parameters: they go when these change.
  void stale() { plans_.clear(); }

  AnsweringPlan& plan_for(NodeId node) {
    std::unique_ptr<AnsweringPlan>& plan = plans_[node];
    if (!plan) {
      if (!training_ && held_.tensors.empty() && !parameters_of(graph_).empty()) {
        plans_.erase(node);
        fail(Exit::bug, "cpu: inference before load");
      }
      plan = std::make_unique<AnsweringPlan>(graph_, options_, node, training_ ? plain() : held_);
    }
    return *plan;
  }

  void sum_over_ranks(std::span<double> values) const {
    if (communicator_ == nullptr) return;
    std::vector<float> narrow(values.begin(), values.end());
    communicator_->sum(narrow);
    std::copy(narrow.begin(), narrow.end(), values.begin());
  }

  StepResult total(const LossResult& loss, double weight) const {
    double sums[] = {loss.loss, static_cast<double>(loss.correct)};
    sum_over_ranks(sums);
    StepResult result;
    result.loss = weight > 0 ? sums[0] / weight : 0;
    result.correct = static_cast<int64_t>(sums[1]);
    return result;
  }

  // Each rank normalises with its own batch's statistics; the running ones are the mean over ranks.
  void average_statistics() const {
    for (const Slot& slot : parameters_->slots) {
      if (slot.parameter.role != Role::mean && slot.parameter.role != Role::variance) continue;
      const std::span<float> values(parameters_->value(slot), static_cast<size_t>(slot.packing.size));
      communicator_->sum(values);
      for (float& v : values) v /= static_cast<float>(communicator_->size());
    }
  }

  const Graph graph_;
  EngineOptions options_;
  Communicator* communicator_;
  int threads_ = 0;
  std::unique_ptr<Parameters> parameters_;
  std::unique_ptr<TrainingPlan> training_;
  std::unique_ptr<Optimizer> optimizer_;
  ParameterSet held_;  // of inference engines
  std::map<NodeId, std::unique_ptr<AnsweringPlan>> plans_;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<Engine> compile_cpu(const Graph& graph, const EngineOptions& options, Communicator* communicator) {
  return std::make_unique<cpu::CpuEngine>(graph, options, communicator);
}

}  // namespace lepton
