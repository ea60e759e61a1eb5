#pragma once
// Every operation but convolution. Each is made for its forward pass; set_gradients() adds the backward pass.
#include <memory>

#include "engine/cpu/conv.h"
#include "engine/engine.h"

namespace lepton::cpu {

// Images, rows and tokens' numbers to normalised, augmented values.
std::unique_ptr<Op> make_input(const EngineOptions& options, const Shape& sample, const Value& out);

// An operation with a backward pass. dy: gradient of the output, dy2: a second part of it to be added or -1 (only
// where takes_two()); dx: gradient of the input, or -1 if nobody needs it.
class TrainingOp : public Op {
 public:
  virtual bool takes_two() const { return false; }
  virtual void set_gradients(int dy, int dy2, int dx) = 0;
};

// Batch-norm, activation and addition of `skip` in one. Training: batch statistics. Inference: running statistics.
std::unique_ptr<TrainingOp> make_norm(const Step& step, const Node& norm, int64_t batch, const Value& in,
                                      const Value* skip, const Value& out, Parameters& parameters);
std::unique_ptr<Op> make_inference_norm(const Step& step, const Node& norm, int64_t batch, const Value& in,
                                        const Value* skip, const Value& out, const ParameterSet& parameters);

// Max and mean pooling, over windows or whole maps. masked: the gradient passes only where the pooled value is
// positive, since the values pooled are a ReLU's.
std::unique_ptr<TrainingOp> make_pool(const Step& step, const Node& node, int64_t batch, bool training, bool masked,
                                      const Value& in, const Value& out, Arena& arena);

std::unique_ptr<TrainingOp> make_act(const Step& step, int64_t batch, const Value& in, const Value& out);
std::unique_ptr<TrainingOp> make_scale(const Step& step, float factor, int64_t batch, const Value& in,
                                       const Value& out);
std::unique_ptr<TrainingOp> make_dropout(const Step& step, float rate, uint64_t seed, int64_t batch, const Value& in,
                                         const Value& out);
std::unique_ptr<TrainingOp> make_flatten(const Step& step, int64_t batch, const Value& in, const Value& out);
// y = a + b, of forward values or of gradients; its own backward pass is the planner's: gradients are passed on as is.
std::unique_ptr<Op> make_add(NodeId node, int64_t batch, const Map& map, int a, int b, int y);

// Joins values of the same height and width along channels.
class ConcatOp : public Op {
 public:
  virtual void set_gradients(int dy, const std::vector<int>& dx) = 0;  // one an input, -1 where nobody needs it
};
std::unique_ptr<ConcatOp> make_concat(const Step& step, int64_t batch, const std::vector<Value>& inputs,
                                      const Value& out);
std::vector<Value> inputs_of(const Step& step, const std::vector<Value>& values);

// Fully connected. Training reads the kernel from `parameters`, inference packs its own from `plain`.
std::unique_ptr<TrainingOp> make_dense(const Step& step, const Node& node, int64_t batch, const Value& in,
                                       const Value& out, Parameters& parameters);
std::unique_ptr<Op> make_inference_dense(const Step& step, const Node& node, int64_t batch, const Value& in,
                                         const Value& out, const ParameterSet& plain);

}  // namespace lepton::cpu
