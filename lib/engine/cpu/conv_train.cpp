#include <unordered_map>

#include "engine/cpu/conv_pd.h"
#include "engine/cpu/reduce.h"
#include "engine/cpu/winograd.h"

namespace lepton::cpu {
namespace {

using dnnl::memory;
using Args = std::unordered_map<int, memory>;

class TrainingConvOp : public TrainingConv {
 public:
  TrainingConvOp(const TrainingConvSpec& spec, const Step& step, const Value& in, const Value& out, Arena& arena,
                 Parameters& parameters)
      : spec_(spec),
        flat_(laid_flat(spec)),
        parameters_(parameters),
        in_(in.buffer),
        out_(out.buffer),
        forward_(make_forward(flat_, true)) {
    node = step.node;
    scratch_ = arena.add(scratch_floats(forward_.pd));
    parameters.set_packing(node, Role::kernel,
                           spec.depthwise ? pack_depthwise(parameters.find(node, Role::kernel)->parameter.shape)
                                          : pack_conv(forward_.pd.weights_desc()));
    parameters.set_packing(node, Role::bias, pack_vector(spec.out.c));
    kernel_trained_ = parameters.find(node, Role::kernel)->parameter.trainable;
    bias_trained_ = spec.bias && parameters.find(node, Role::bias)->parameter.trainable;
    forward_buffers = {in_, out_, scratch_};
  }

  void add_backward(int dy, int dx, bool dy_shared, Arena& arena) override {
    dy_ = dy;
    dz_ = dy;
    dx_ = dx;
    backward_buffers = {dy_};
    const int64_t floats = spec_.out.sample() * spec_.batch;
    if (spec_.act == Act::relu && !spec_.masked) {
      if (dy_shared) dz_ = arena.add(floats);
      backward_buffers.insert(backward_buffers.end(), {dz_, out_});
    }
    const memory::desc kernel = forward_.pd.weights_desc();
    if (kernel_trained_) {
      weights_pass_ = make_backward_weights(flat_, forward_, kernel);
      weights_scratch_ = arena.add(scratch_floats(weights_pass_.pd));
      other_dkernel_ = weights_pass_.pd.diff_weights_desc() != kernel;
      if (other_dkernel_) dkernel_ = arena.add(pack_conv(weights_pass_.pd.diff_weights_desc()).size);
      backward_buffers.insert(backward_buffers.end(), {in_, weights_scratch_});
      if (other_dkernel_) backward_buffers.push_back(dkernel_);
    }
    if (dx_ >= 0) {
      data_pass_ = make_backward_data(flat_, forward_, kernel);
      data_scratch_ = arena.add(scratch_floats(data_pass_.pd));
      other_kernel_ = data_pass_.pd.weights_desc() != kernel;
      if (other_kernel_) kernel_ = arena.add(pack_conv(data_pass_.pd.weights_desc()).size);
      backward_buffers.insert(backward_buffers.end(), {dx_, data_scratch_});
      if (other_kernel_) backward_buffers.push_back(kernel_);
    }
  }

  void bind(const Arena& arena) override {
    arena_ = &arena;
    const Slot& kernel = *parameters_.find(node, Role::kernel);
    const Slot* bias = spec_.bias ? parameters_.find(node, Role::bias) : nullptr;
    const memory x(forward_.pd.src_desc(), dnnl_engine(), arena.at(in_));
    const memory w(forward_.pd.weights_desc(), dnnl_engine(), parameters_.value(kernel));
    forward_args_ = {{DNNL_ARG_SRC, x},
                     {DNNL_ARG_WEIGHTS, w},
                     {DNNL_ARG_DST, memory(forward_.pd.dst_desc(), dnnl_engine(), arena.at(out_))},
                     {DNNL_ARG_SCRATCHPAD, memory(forward_.pd.scratchpad_desc(), dnnl_engine(), arena.at(scratch_))}};
    if (bias) forward_args_[DNNL_ARG_BIAS] = memory(forward_.pd.bias_desc(), dnnl_engine(), parameters_.value(*bias));
    forward_primitive_ = dnnl::convolution_forward(forward_.pd);
    if (dy_ < 0) return;
    const memory dz(forward_.pd.dst_desc(), dnnl_engine(), arena.at(dz_));
    if (kernel_trained_) bind_weights_pass(arena, x, dz, kernel, bias);
    if (dx_ >= 0) bind_data_pass(arena, w, dz);
  }

  void forward(const Run&) override { forward_primitive_.execute(dnnl_stream(), forward_args_); }

  void backward(const Run&) override {
    if (spec_.act == Act::relu && !spec_.masked) mask();
    if (kernel_trained_) {
      weights_primitive_.execute(dnnl_stream(), weights_args_);
      if (other_dkernel_) dkernel_reorder_.execute(dnnl_stream(), dkernel_from_, dkernel_to_);
    } else if (bias_trained_) {
      channel_sums(arena_->at(dz_), spec_.out, spec_.batch, sums_,
                   parameters_.gradient(*parameters_.find(node, Role::bias)));
    }
    if (dx_ >= 0) {
      if (other_kernel_) kernel_reorder_.execute(dnnl_stream(), kernel_from_, kernel_to_);
      data_primitive_.execute(dnnl_stream(), data_args_);
    }
  }

  std::string describe() const override {
    std::string text = std::string("forward ") + forward_.pd.impl_info_str();
    if (dx_ >= 0)
      text += std::string(", data gradient ") + data_pass_.pd.impl_info_str() +
              (other_kernel_ ? " (kernel reordered)" : "");
    if (dy_ >= 0 && kernel_trained_) {
      text +=
          std::string(", kernel gradient ") + weights_pass_.pd.impl_info_str() + (other_dkernel_ ? " (reordered)" : "");
    }
    return text;
  }

 private:
  void bind_weights_pass(const Arena& arena, const memory& x, const memory& dz, const Slot& kernel, const Slot* bias) {
    const memory dw(forward_.pd.weights_desc(), dnnl_engine(), parameters_.gradient(kernel));
    dkernel_to_ = dw;
    dkernel_from_ =
        other_dkernel_ ? memory(weights_pass_.pd.diff_weights_desc(), dnnl_engine(), arena.at(dkernel_)) : dw;
    weights_args_ = {
        {DNNL_ARG_SRC, x},
        {DNNL_ARG_DIFF_DST, dz},
        {DNNL_ARG_DIFF_WEIGHTS, dkernel_from_},
        {DNNL_ARG_SCRATCHPAD, memory(weights_pass_.pd.scratchpad_desc(), dnnl_engine(), arena.at(weights_scratch_))}};
    if (bias) {
      weights_args_[DNNL_ARG_DIFF_BIAS] =
          memory(weights_pass_.pd.diff_bias_desc(), dnnl_engine(), parameters_.gradient(*bias));
    }
    weights_primitive_ = dnnl::convolution_backward_weights(weights_pass_.pd);
    if (other_dkernel_) dkernel_reorder_ = dnnl::reorder(dkernel_from_, dkernel_to_);
  }

  void bind_data_pass(const Arena& arena, const memory& w, const memory& dz) {
    kernel_from_ = w;
    kernel_to_ = other_kernel_ ? memory(data_pass_.pd.weights_desc(), dnnl_engine(), arena.at(kernel_)) : w;
    data_args_ = {
        {DNNL_ARG_DIFF_DST, dz},
        {DNNL_ARG_WEIGHTS, kernel_to_},
        {DNNL_ARG_DIFF_SRC, memory(data_pass_.pd.diff_src_desc(), dnnl_engine(), arena.at(dx_))},
        {DNNL_ARG_SCRATCHPAD, memory(data_pass_.pd.scratchpad_desc(), dnnl_engine(), arena.at(data_scratch_))}};
    data_primitive_ = dnnl::convolution_backward_data(data_pass_.pd);
    if (other_kernel_) kernel_reorder_ = dnnl::reorder(kernel_from_, kernel_to_);
  }

  void mask() {
    const float *y = arena_->at(out_), *dy = arena_->at(dy_);
    float* dz = arena_->at(dz_);
    const int64_t planes = spec_.batch * spec_.out.blocks(), plane = spec_.out.plane();
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < planes; ++p) {
      simd().activate_backward(y + p * plane, dy + p * plane, dz + p * plane, spec_.out.pixels(), Act::relu);
    }
  }

  TrainingConvSpec spec_;
  ConvSpec flat_;  // as oneDNN is told
  Parameters& parameters_;
  const Arena* arena_ = nullptr;
  int in_, out_, scratch_ = -1, dy_ = -1, dz_ = -1, dx_ = -1;
  int weights_scratch_ = -1, data_scratch_ = -1, dkernel_ = -1, kernel_ = -1;
  bool kernel_trained_ = false, bias_trained_ = false, other_dkernel_ = false, other_kernel_ = false;
  ForwardPd forward_;
  DataPd data_pass_;
  WeightsPd weights_pass_;
  dnnl::convolution_forward forward_primitive_;
  dnnl::convolution_backward_data data_primitive_;
  dnnl::convolution_backward_weights weights_primitive_;
  dnnl::reorder dkernel_reorder_, kernel_reorder_;
  memory dkernel_from_, dkernel_to_, kernel_from_, kernel_to_;
  Args forward_args_, data_args_, weights_args_;
  std::vector<double> sums_;
};

}  // namespace

std::unique_ptr<TrainingConv> make_training_conv(const TrainingConvSpec& spec, const Step& step, const Value& in,
                                                 const Value& out, Arena& arena, Parameters& parameters) {
  if (own_winograd_trains(spec)) return make_winograd_conv(spec, step, in, out, arena, parameters);
  return std::make_unique<TrainingConvOp>(spec, step, in, out, arena, parameters);
}

}  // namespace lepton::cpu
