#pragma once
// The two executable plans: one forward pass to a chosen node, and one training pass.
#include <map>
#include <memory>
#include <span>

#include "engine/cpu/int8.h"
#include "engine/cpu/loss.h"
#include "engine/cpu/ops.h"

namespace lepton::cpu {

// Milliseconds a node, added to by profiling runs.
using Times = std::map<NodeId, double>;

class InferencePlan {
 public:
  // shared: what plans of the same graph and options have in common.
  InferencePlan(const Graph& graph, const EngineOptions& options, NodeId target, const ParameterSet& parameters,
                Int8Weights& shared);
  // values: [n, elements of the target], H W C order.
  void run(const Batch& batch, std::span<float> values, Times* times = nullptr);
  int64_t bytes() const { return arena_.bytes(); }
  std::string describe(const Graph& graph) const;

 private:
  void build(const Graph& graph, const EngineOptions& options, const Step& step, std::vector<Value>& values,
             const ParameterSet& parameters);

  Texts texts_;
  Arena arena_;
  std::vector<std::unique_ptr<Op>> ops_;
  Value target_;
};

// What answers a call: one plan for the whole batch on all threads; or, where values are bytes and samples many, one
// plan a thread, of a few samples, which it computes from end to end: they stay in its caches, and threads meet once a
// call.
class AnsweringPlan {
 public:
  AnsweringPlan(const Graph& graph, const EngineOptions& options, NodeId target, const ParameterSet& parameters);
  void run(const Batch& batch, std::span<float> values, Times* times = nullptr);
  int64_t bytes() const;
  std::string describe(const Graph& graph) const { return plans_[0]->describe(graph); }

 private:
  int64_t part_;  // samples of a plan
  Shape sample_;
  int64_t elements_;  // values a sample
  Int8Weights shared_;
  std::vector<std::unique_ptr<InferencePlan>> plans_;
};

class TrainingPlan {
 public:
  TrainingPlan(const Graph& graph, const EngineOptions& options, Parameters& parameters);
  // Forward and backward; gradients end up in the parameters' flat buffer, times factor (see Loss).
  LossResult run(Run run, float smoothing, double factor, Times* forward = nullptr, Times* backward = nullptr);
  void commit();  // running statistics take in those of the last run
  int64_t bytes() const { return arena_.bytes(); }
  std::string describe(const Graph& graph) const;

 private:
  struct Call {
    Op* op;
    bool backward;
  };
  void add_values();
  void add_forward(size_t index);
  void add_backward(size_t index);
  int merged(const Value& value, size_t most, int* second, NodeId node);
  int new_gradient(int value);
  bool trains(const Step& step) const;
  ConvSpec conv_spec(const Step& step, const Map& in, const Map& out, bool planar) const;
  bool masked_by_pool(const Step& conv) const;
  void touch_all();

  const Graph& graph_;
  const EngineOptions& options_;
  Parameters& parameters_;
  Texts texts_;
  Arena arena_;
  Lowered lowered_;
  std::vector<Value> values_;
  std::vector<std::unique_ptr<Op>> ops_;  // one a step, then merging additions
  std::vector<Call> backward_;
  std::map<int, int> readers_;  // of each gradient buffer
  std::unique_ptr<Loss> loss_;
  int dlogits_ = -1;
};

}  // namespace lepton::cpu
