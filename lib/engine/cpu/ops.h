#pragma once
// Every operation but convolution. Each is made for its forward pass; set_gradients() adds the backward pass.
#include <memory>

#include "engine/cpu/conv.h"
#include "engine/engine.h"

namespace lepton::cpu {

// Images, rows and tokens' numbers to normalised, augmented values.
std::unique_ptr<Op> make_input(const EngineOptions& options, const Shape& sample, const Value& out);

// Token numbers as floats, for whoever asks for them; embed reads the batch itself.
std::unique_ptr<Op> make_token_input(const EngineOptions& options, int64_t length, const Value& out);

// Lengths of the texts of a batch.
class Texts {
 public:
  Texts(const Graph& graph, int64_t batch);
  // [batch], 0 for samples the batch has not; nullptr where samples are no texts. Checks the tokens.
  const int64_t* read(const Batch& batch);

 private:
  const Graph& graph_;
  std::vector<int64_t> lengths_;
};

// Positions of a node's output that count, of a text of so many tokens; all of them where samples are no texts.
struct Positions {
  explicit Positions(const Node& node)
      : stride(node.token_stride), extent(node.shape.rank() == 3 ? node.shape[0] : 1) {}
  bool some() const { return stride > 0; }
  int64_t of(const Run& run, int64_t sample) const;

  int64_t stride, extent;
};

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
// positive, since the values pooled are a ReLU's. from: the node whose values are pooled.
std::unique_ptr<TrainingOp> make_pool(const Step& step, const Node& node, const Node& from, int64_t batch,
                                      bool training, bool masked, const Value& in, const Value& out, Arena& arena);

// Of a pooling layer, whole maps included.
PoolShape pool_shape(const Node& node, const Map& in, const Map& out);

// dz = dy where the ReLU's output y is positive, else 0; dz may be dy.
template <class T>
void relu_gradient(const T* y, const T* dy, T* dz, const Map& map, int64_t batch);

std::unique_ptr<TrainingOp> make_act(const Step& step, int64_t batch, const Value& in, const Value& out);
std::unique_ptr<TrainingOp> make_scale(const Step& step, float factor, int64_t batch, const Value& in,
                                       const Value& out);
std::unique_ptr<TrainingOp> make_dropout(const Step& step, float rate, uint64_t seed, int64_t batch, const Value& in,
                                         const Value& out);
// From float to bf16 or back.
std::unique_ptr<TrainingOp> make_cast(const Step& step, int64_t batch, const Value& in, const Value& out);
std::unique_ptr<TrainingOp> make_flatten(const Step& step, int64_t batch, const Value& in, const Value& out);
// Zeros where there is padding.
std::unique_ptr<TrainingOp> make_mask(const Step& step, const Node& node, int64_t batch, const Value& in,
                                      const Value& out);
// Rows of a table by token; the gradient is that of the rows that occur. Inference packs its own table from `plain`.
std::unique_ptr<TrainingOp> make_embed(const Step& step, const Node& node, int64_t batch, const Value& in,
                                       const Value& out, Parameters& parameters);
std::unique_ptr<Op> make_inference_embed(const Step& step, const Node& node, int64_t batch, const Value& in,
                                         const Value& out, const ParameterSet& plain);
// y = a + b, of forward values or of gradients; its own backward pass is the planner's: gradients are passed on as is.
std::unique_ptr<Op> make_add(NodeId node, int64_t batch, const Value& like, int a, int b, int y);

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
