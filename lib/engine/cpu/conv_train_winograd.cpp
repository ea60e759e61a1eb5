// Convolutions of training by Winograd's algorithm of our own, all three passes.
#include <fmt/format.h>

#include <algorithm>

#include "engine/cpu/conv.h"
#include "engine/cpu/ops.h"
#include "engine/cpu/reduce.h"
#include "engine/cpu/threads.h"
#include "engine/cpu/winograd.h"

namespace lepton::cpu {
namespace {

// T: what maps are stored as; P: what is multiplied.
template <class T, class P>
class WinogradConv : public TrainingConv {
 public:
  WinogradConv(const TrainingConvSpec& spec, const Step& step, const Value& in, const Value& out, Arena& arena,
               Parameters& parameters)
      : spec_(spec),
        shape_{spec.in, spec.out, spec.attributes.pad_top, spec.attributes.pad_left},
        turned_(shape_.turned()),
        threads_(thread_count()),
        parameters_(parameters),
        in_(in.buffer),
        out_(out.buffer),
        packed_(arena.add(kernel_floats())),
        scratch_(arena.add(winograd_scratch<P>(shape_, spec.batch, threads_))),
        bias_(padded_channels(std::max(spec.in.c, spec.out.c))) {
    node = step.node;
    parameters.set_packing(node, Role::kernel, winograd_packing(spec.in.c, spec.out.c));
    parameters.set_packing(node, Role::bias, pack_vector(spec.out.c));
    kernel_trained_ = parameters.find(node, Role::kernel)->parameter.trainable;
    bias_trained_ = spec.bias && parameters.find(node, Role::bias)->parameter.trainable;
    forward_buffers = {in_, out_, packed_, scratch_};
  }

  void add_backward(int dy, int dx, bool dy_shared, Arena& arena) override {
    dz_ = dy_ = dy;
    dx_ = dx;
    backward_buffers = {dy_};
    if (spec_.act == Act::relu && !spec_.masked) {
      if (dy_shared) dz_ = arena.add(floats_of(spec_.element, spec_.out.sample() * spec_.batch));
      backward_buffers.insert(backward_buffers.end(), {dz_, out_});
    }
    if (kernel_trained_) {
      gradient_scratch_ = arena.add(winograd_gradient_scratch<P>(shape_, spec_.batch, threads_));
      backward_buffers.insert(backward_buffers.end(), {in_, gradient_scratch_});
    }
    if (dx_ >= 0) {
      turned_packed_ = arena.add(kernel_floats());
      turned_scratch_ = arena.add(winograd_scratch<P>(turned_, spec_.batch, threads_));
      backward_buffers.insert(backward_buffers.end(), {dx_, turned_packed_, turned_scratch_});
    }
  }

  void bind(const Arena& arena) override {
    arena_ = &arena;
    kernel_ = parameters_.find(node, Role::kernel);
    bias_slot_ = spec_.bias ? parameters_.find(node, Role::bias) : nullptr;
  }

  void forward(const Run& run) override {
    const float* bias = bias_slot_ == nullptr ? bias_.data() : parameters_.value(*bias_slot_);
    convolve(run.n, shape_, in_, false, packed_, scratch_, bias, spec_.act, out_);
  }

  void backward(const Run& run) override {
    if (spec_.act == Act::relu && !spec_.masked) {
      relu_gradient(at(out_), at(dy_), at(dz_), spec_.out, spec_.batch);
    }
    if (bias_trained_) {
      channel_sums(at(dz_), spec_.out, run.n, sums_, parameters_.gradient(*bias_slot_));
    }
    if (kernel_trained_) {
      winograd_gradient<T, P>(shape_, run.n, at(in_), at(dz_), parameters_.gradient(*kernel_),
                              arena_->at(gradient_scratch_), threads_);
    }
    if (dx_ < 0) return;
    convolve(run.n, turned_, dz_, true, turned_packed_, turned_scratch_, bias_.data(), Act::none, dx_);
  }

  std::string describe() const override {
    return fmt::format("winograd:{}{}", simd().name, spec_.element == Element::bf16 ? " in bf16" : "");
  }

 private:
  int64_t kernel_floats() const {
    return winograd_kernel_size(spec_.in.c, spec_.out.c) * static_cast<int64_t>(sizeof(P)) / 4;
  }
  T* at(int buffer) const { return arena_->as<T>(buffer); }

  // The first n samples; zeros behind them.
  void convolve(int64_t n, const WinogradShape& shape, int x, bool turned, int packed, int scratch, const float* bias,
                Act act, int y) const {
    P* kernel = arena_->as<P>(packed);
    winograd_kernel(parameters_.value(*kernel_), spec_.in.c, spec_.out.c, turned, kernel);
    winograd(shape, n, at(x), kernel, bias, act, at(y), arena_->at(scratch), threads_);
    std::fill_n(at(y) + n * shape.conv.sample(), (spec_.batch - n) * shape.conv.sample(), T{});
  }

  TrainingConvSpec spec_;
  WinogradShape shape_, turned_;
  int threads_;
  Parameters& parameters_;
  const Arena* arena_ = nullptr;
  int in_, out_, packed_, scratch_;
  int dy_ = -1, dz_ = -1, dx_ = -1, gradient_scratch_ = -1, turned_packed_ = -1, turned_scratch_ = -1;
  bool kernel_trained_ = false, bias_trained_ = false;
  AlignedFloats bias_;  // zeros
  const Slot *kernel_ = nullptr, *bias_slot_ = nullptr;
  std::vector<double> sums_;
};

}  // namespace

std::unique_ptr<TrainingConv> make_winograd_conv(const TrainingConvSpec& spec, const Step& step, const Value& in,
                                                 const Value& out, Arena& arena, Parameters& parameters) {
  if (spec.element == Element::bf16) {
    return std::make_unique<WinogradConv<Bf16, Bf16>>(spec, step, in, out, arena, parameters);
  }
  return std::make_unique<WinogradConv<float, float>>(spec, step, in, out, arena, parameters);
}

}  // namespace lepton::cpu
