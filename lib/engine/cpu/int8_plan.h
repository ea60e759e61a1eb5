#pragma once
// Which values of an inference plan are bytes, and the operations on them. Convolutions of bytes give bytes, the first
// one too where a convolution reads it; maxpools and additions keep to bytes; mean pools, dense layers and all else
// work on floats. Between the two stand conversions.
#include <optional>

#include "engine/cpu/int8.h"
#include "engine/cpu/ops.h"

namespace lepton::cpu {

class Int8Plan {
 public:
  // options.ranges says what bytes hold of each node; a value without is kept in floats. The references are kept.
  Int8Plan(const Graph& graph, const EngineOptions& options, const Lowered& lowered, NodeId target,
           std::vector<Value>& floats, const ParameterSet& parameters, Arena& arena, Int8Weights& weights);
  // The operations of a step on bytes; none: it is one on floats, which is to be made as ever.
  std::vector<std::unique_ptr<Op>> make(size_t step);
  // What is to follow the step: its value in the other form, where that is read.
  std::unique_ptr<Op> conversion(size_t step);

 private:
  struct Form {
    ByteValue bytes;
    bool made_as_bytes = false, read_as_bytes = false, read_as_floats = false;
  };

  bool takes_bytes(const Step& step) const;
  bool gives_bytes(size_t step);
  bool plans_conv(size_t step);
  void note_reading(const Step& step);
  ConvSpec conv_spec(const Step& step) const;
  const Node& node_of(const Step& step) const { return graph_.nodes[static_cast<size_t>(step.node)]; }
  Form& form(int value) { return forms_[static_cast<size_t>(value)]; }
  const Form& form(int value) const { return forms_[static_cast<size_t>(value)]; }
  const Value& floats(int value) const { return floats_[static_cast<size_t>(value)]; }

  const Graph& graph_;
  const EngineOptions& options_;
  const Lowered& lowered_;
  std::vector<Value>& floats_;
  const ParameterSet& parameters_;
  Arena& arena_;
  Int8Weights& weights_;
  std::vector<Form> forms_;
  std::vector<float> ranges_;   // of each value, 0 = unknown
  std::vector<bool> positive_;  // whether no value is negative
  std::map<size_t, std::shared_ptr<const Int8ConvPlan>> convs_;
  std::map<size_t, bool> on_bytes_;
};

}  // namespace lepton::cpu
