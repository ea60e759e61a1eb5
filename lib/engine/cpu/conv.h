#pragma once
// Convolutions through oneDNN: choice of algorithm, training and inference.
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>

#include "engine/cpu/lower.h"
#include "engine/cpu/op.h"
#include "engine/cpu/parameters.h"

namespace lepton::cpu {

// A value of a plan: its layout and its buffer.
struct Value {
  Map map;
  bool planar = false;
  Element element = Element::fp32;
  int buffer = -1;
  bool needs_gradient = false;
  std::vector<int> gradients = {};  // buffers whose sum is the gradient
};

dnnl::memory::desc activation_desc(const Map& map, bool planar, int64_t batch, Element element);

dnnl::memory::data_type dnnl_type(Element element);

struct ConvSpec {
  Map in, out;
  bool planar = false;
  Attributes attributes;
  int64_t batch = 1;
  bool depthwise = false;
  bool bias = false;
  Act act = Act::none;
  Element element = Element::fp32;  // of both maps and of the kernel that is multiplied
  bool bf16_products = false;       // inference: where that is quicker
};

// A convolution along the height of maps of width 1 as one along the width: the memory is the same, and oneDNN's loops
// are made for width. Others unchanged.
ConvSpec laid_flat(ConvSpec spec);

// Whether oneDNN's Winograd is taken. By shape alone, never by timing: training in fp32 on AVX-512, 3x3, stride 1, at
// least 16 channels in; there it was faster in every pass measured.
bool winograd_pays(const ConvSpec& spec);

// Whether oneDNN has better than its reference code for all passes of this convolution in bf16.
bool has_bf16_conv(ConvSpec spec);

// Whether inference computes the maxpool behind a convolution with it. Its windows are taken before bias and ReLU,
// which keep the order of values and so change nothing.
bool conv_pools(const ConvSpec& spec, const Attributes& pool);

struct FoldedConv {
  std::vector<float> weights, bias;  // HWIO, [outputs]
};

// A step's kernel and bias, those of the batch-norm behind it taken in if the step holds one:
// w' = w * gamma / sqrt(variance + epsilon), b' = (b - mean) * that + beta.
FoldedConv fold(const Graph& graph, const Step& step, const ParameterSet& parameters);

std::unique_ptr<Op> make_inference_conv(const ConvSpec& spec, const Graph& graph, const Step& step, const Value& in,
                                        const Value& out, Arena& arena, const ParameterSet& parameters);

struct TrainingConvSpec : ConvSpec {
  bool masked = false;  // the reader of the output (a max-pool) applies the ReLU's mask to the gradient
};

// A convolution of the training plan in two stages: forward first, since it decides the layout of the kernel; then,
// when the gradients of its output are known, backward.
class TrainingConv : public Op {
 public:
  virtual void add_backward(int dy, int dx, bool dy_shared, Arena& arena) = 0;  // dx = -1: input needs no gradient
};
std::unique_ptr<TrainingConv> make_winograd_conv(const TrainingConvSpec& spec, const Step& step, const Value& in,
                                                 const Value& out, Arena& arena, Parameters& parameters);
std::unique_ptr<TrainingConv> make_training_conv(const TrainingConvSpec& spec, const Step& step, const Value& in,
                                                 const Value& out, Arena& arena, Parameters& parameters);

}  // namespace lepton::cpu
