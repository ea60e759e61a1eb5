#include <unordered_map>

#include "engine/cpu/conv_pd.h"
#include "engine/cpu/ops.h"
#include "engine/cpu/reduce.h"
#include "engine/cpu/winograd.h"

namespace lepton::cpu {
namespace {

using dnnl::memory;
using Args = std::unordered_map<int, memory>;

// A kernel as a pass reads or writes it: where that differs from how it is kept, in type or layout, a copy of its own.
class Relaid {
 public:
  Relaid() = default;
  Relaid(const memory::desc& kept, const memory::desc& wanted, Arena& arena, std::vector<int>& touched)
      : kept_(kept), wanted_(wanted) {
    if (kept == wanted) return;
    buffer_ = arena.add(static_cast<int64_t>(wanted.get_size() + 3) / 4);
    touched.push_back(buffer_);
  }

  // The kernel kept at `kept`; outwards: what the pass writes goes there.
  const memory& bind(const Arena& arena, float* kept, bool outwards = false) {
    memory own(kept_, dnnl_engine(), kept);
    pass_ = other() ? memory(wanted_, dnnl_engine(), arena.at(buffer_)) : own;
    from_ = outwards ? pass_ : own;
    to_ = outwards ? own : pass_;
    if (other()) reorder_ = dnnl::reorder(from_, to_);
    return pass_;
  }

  bool other() const { return buffer_ >= 0; }
  void copy() {
    if (other()) reorder_.execute(dnnl_stream(), from_, to_);
  }

 private:
  memory::desc kept_, wanted_;
  int buffer_ = -1;
  memory pass_, from_, to_;
  dnnl::reorder reorder_;
};

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
    forward_buffers = {in_, out_, scratch_};
    const Slot& kernel = *parameters.find(node, Role::kernel);
    kernel_trained_ = kernel.parameter.trainable;
    bias_trained_ = spec.bias && parameters.find(node, Role::bias)->parameter.trainable;
    // Kept as its forward pass reads it, or as its gradient comes where that pass reads a copy in bf16 in any case.
    const bool wide = spec.element == Element::fp32;
    const memory::desc read = forward_.pd.weights_desc();
    if (kernel_trained_) weights_pass_ = make_backward_weights(flat_, forward_, wide ? read : memory::desc{});
    if (wide) {
      kept_ = read;
    } else if (kernel_trained_) {
      kept_ = weights_pass_.pd.diff_weights_desc();
    } else {
      const auto layout = spec.depthwise ? memory::format_tag::Goihw16g : memory::format_tag::hwio;
      kept_ = {read.dims(), memory::data_type::f32, layout};
    }
    for_forward_ = Relaid(kept_, read, arena, forward_buffers);
    parameters.set_packing(node, Role::kernel,
                           spec.depthwise ? pack_depthwise(kernel.parameter.shape) : pack_conv(kept_));
    parameters.set_packing(node, Role::bias, pack_vector(spec.out.c));
  }

  void add_backward(int dy, int dx, bool dy_shared, Arena& arena) override {
    dy_ = dy;
    dz_ = dy;
    dx_ = dx;
    backward_buffers = {dy_};
    if (spec_.act == Act::relu && !spec_.masked) {
      if (dy_shared) dz_ = arena.add(floats_of(spec_.element, spec_.out.sample() * spec_.batch));
      backward_buffers.insert(backward_buffers.end(), {dz_, out_});
    }
    if (kernel_trained_) {
      weights_scratch_ = arena.add(scratch_floats(weights_pass_.pd));
      backward_buffers.insert(backward_buffers.end(), {in_, weights_scratch_});
      from_weights_ = Relaid(kept_, weights_pass_.pd.diff_weights_desc(), arena, backward_buffers);
    }
    if (dx_ >= 0) {
      data_pass_ = make_backward_data(flat_, forward_, forward_.pd.weights_desc());
      data_scratch_ = arena.add(scratch_floats(data_pass_.pd));
      backward_buffers.insert(backward_buffers.end(), {dx_, data_scratch_});
      for_data_ = Relaid(kept_, data_pass_.pd.weights_desc(), arena, backward_buffers);
    }
  }

  void bind(const Arena& arena) override {
    arena_ = &arena;
    float* kernel = parameters_.value(*parameters_.find(node, Role::kernel));
    const Slot* bias = spec_.bias ? parameters_.find(node, Role::bias) : nullptr;
    const memory x(forward_.pd.src_desc(), dnnl_engine(), arena.at(in_));
    forward_args_ = {{DNNL_ARG_SRC, x},
                     {DNNL_ARG_WEIGHTS, for_forward_.bind(arena, kernel)},
                     {DNNL_ARG_DST, memory(forward_.pd.dst_desc(), dnnl_engine(), arena.at(out_))},
                     {DNNL_ARG_SCRATCHPAD, memory(forward_.pd.scratchpad_desc(), dnnl_engine(), arena.at(scratch_))}};
    if (bias) forward_args_[DNNL_ARG_BIAS] = memory(forward_.pd.bias_desc(), dnnl_engine(), parameters_.value(*bias));
    forward_primitive_ = dnnl::convolution_forward(forward_.pd);
    if (dy_ < 0) return;
    const memory dz(forward_.pd.dst_desc(), dnnl_engine(), arena.at(dz_));
    if (kernel_trained_) bind_weights_pass(arena, x, dz, bias);
    if (dx_ >= 0) bind_data_pass(arena, kernel, dz);
  }

  void forward(const Run&) override {
    for_forward_.copy();
    forward_primitive_.execute(dnnl_stream(), forward_args_);
  }

  void backward(const Run&) override {
    with_element(spec_.element, [&]<class T>(T) {
      if (spec_.act == Act::relu && !spec_.masked) {
        relu_gradient(arena_->as<T>(out_), arena_->as<T>(dy_), arena_->as<T>(dz_), spec_.out, spec_.batch);
      }
      if (kernel_trained_ || !bias_trained_) return;
      channel_sums(arena_->as<T>(dz_), spec_.out, spec_.batch, sums_,
                   parameters_.gradient(*parameters_.find(node, Role::bias)));
    });
    if (kernel_trained_) {
      weights_primitive_.execute(dnnl_stream(), weights_args_);
      from_weights_.copy();
    }
    if (dx_ >= 0) {
      for_data_.copy();
      data_primitive_.execute(dnnl_stream(), data_args_);
    }
  }

  std::string describe() const override {
    std::string text = std::string("forward ") + forward_.pd.impl_info_str();
    if (dx_ >= 0)
      text += std::string(", data gradient ") + data_pass_.pd.impl_info_str() +
              (for_data_.other() ? " (kernel reordered)" : "");
    if (dy_ >= 0 && kernel_trained_) {
      text += std::string(", kernel gradient ") + weights_pass_.pd.impl_info_str() +
              (from_weights_.other() ? " (reordered)" : "");
    }
    return text;
  }

 private:
  void bind_weights_pass(const Arena& arena, const memory& x, const memory& dz, const Slot* bias) {
    float* gradient = parameters_.gradient(*parameters_.find(node, Role::kernel));
    weights_args_ = {
        {DNNL_ARG_SRC, x},
        {DNNL_ARG_DIFF_DST, dz},
        {DNNL_ARG_DIFF_WEIGHTS, from_weights_.bind(arena, gradient, true)},
        {DNNL_ARG_SCRATCHPAD, memory(weights_pass_.pd.scratchpad_desc(), dnnl_engine(), arena.at(weights_scratch_))}};
    if (bias) {
      weights_args_[DNNL_ARG_DIFF_BIAS] =
          memory(weights_pass_.pd.diff_bias_desc(), dnnl_engine(), parameters_.gradient(*bias));
    }
    weights_primitive_ = dnnl::convolution_backward_weights(weights_pass_.pd);
  }

  void bind_data_pass(const Arena& arena, float* kernel, const memory& dz) {
    data_args_ = {
        {DNNL_ARG_DIFF_DST, dz},
        {DNNL_ARG_WEIGHTS, for_data_.bind(arena, kernel)},
        {DNNL_ARG_DIFF_SRC, memory(data_pass_.pd.diff_src_desc(), dnnl_engine(), arena.at(dx_))},
        {DNNL_ARG_SCRATCHPAD, memory(data_pass_.pd.scratchpad_desc(), dnnl_engine(), arena.at(data_scratch_))}};
    data_primitive_ = dnnl::convolution_backward_data(data_pass_.pd);
  }

  TrainingConvSpec spec_;
  ConvSpec flat_;  // as oneDNN is told
  Parameters& parameters_;
  const Arena* arena_ = nullptr;
  int in_, out_, scratch_ = -1, dy_ = -1, dz_ = -1, dx_ = -1;
  int weights_scratch_ = -1, data_scratch_ = -1;
  bool kernel_trained_ = false, bias_trained_ = false;
  memory::desc kept_;
  Relaid for_forward_, for_data_, from_weights_;
  ForwardPd forward_;
  DataPd data_pass_;
  WeightsPd weights_pass_;
  dnnl::convolution_forward forward_primitive_;
  dnnl::convolution_backward_data data_primitive_;
  dnnl::convolution_backward_weights weights_primitive_;
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
