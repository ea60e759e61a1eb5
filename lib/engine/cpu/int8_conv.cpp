#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "engine/cpu/conv_pd.h"
#include "engine/cpu/first_conv.h"
#include "engine/cpu/int8.h"
#include "engine/cpu/threads.h"

namespace lepton::cpu {

using dnnl::algorithm;
using dnnl::memory;

struct Int8ConvPlan {
  dnnl::convolution_forward::primitive_desc pd;
  std::vector<int8_t> kernel;  // [outputs][inputs][kh][kw]
  AlignedFloats bias;          // in units of the sums
};

namespace {

int64_t padded16(int64_t channels) { return (channels + 15) / 16 * 16; }

// In 7 bits an unsigned result is written as a signed one, which ends at 127.
memory::data_type type_of(const ByteFormat& format, bool written) {
  const bool as_signed = format.is_signed || (written && !exact_bytes());
  return as_signed ? memory::data_type::s8 : memory::data_type::u8;
}

// A ReLU commutes with the change of units, other activations are computed in the values' own.
dnnl::primitive_attr attributes(Act act, const std::vector<float>& scales, float unit) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  std::vector<float> factors = scales;
  const bool first = act == Act::none || act == Act::relu;
  for (float& f : factors) f = first ? f / unit : f;
  attr.set_output_scales(2, factors);
  dnnl::post_ops ops;
  if (act == Act::relu) ops.append_eltwise(1.0F, algorithm::eltwise_relu, 0, 0);
  if (act == Act::gelu) ops.append_eltwise(1.0F, algorithm::eltwise_gelu_erf, 0, 0);
  if (act == Act::silu) ops.append_eltwise(1.0F, algorithm::eltwise_swish, 1, 0);
  if (!first) ops.append_eltwise(1.0F, algorithm::eltwise_linear, 1 / unit, 0);
  attr.set_post_ops(ops);
  return attr;
}

class Int8Conv : public Op {
 public:
  Int8Conv(std::shared_ptr<const Int8ConvPlan> plan, const Step& step, const ByteValue& in, const ByteValue& out,
           Arena& arena, Int8Weights& weights)
      : plan_(std::move(plan)), in_(in.buffer), out_(out.buffer), scratch_(arena.add(scratch_floats(plan_->pd))) {
    node = step.node;
    forward_buffers = {in_, out_, scratch_};
    std::shared_ptr<const AlignedFloats>& shared = weights[node];
    if (!shared) shared = packed();
    weights_ = shared;
  }

  void bind(const Arena& arena) override {
    const auto& e = dnnl_engine();
    const auto& pd = plan_->pd;
    args_ = {{DNNL_ARG_SRC, memory(pd.src_desc(), e, arena.at(in_))},
             {DNNL_ARG_WEIGHTS, memory(pd.weights_desc(), e, weights_->data())},
             {DNNL_ARG_BIAS, memory(pd.bias_desc(), e, plan_->bias.data())},
             {DNNL_ARG_DST, memory(pd.dst_desc(), e, arena.at(out_))},
             {DNNL_ARG_SCRATCHPAD, memory(pd.scratchpad_desc(), e, arena.at(scratch_))}};
    primitive_ = dnnl::convolution_forward(pd);
  }

  void forward(const Run&) override { primitive_.execute(dnnl_stream(), args_); }
  std::string describe() const override { return fmt::format("int8, {}", plan_->pd.impl_info_str()); }

 private:
  std::shared_ptr<const AlignedFloats> packed() const {
    const memory::desc to = plan_->pd.weights_desc(), from(to.dims(), memory::data_type::s8, memory::format_tag::oihw);
    auto target = std::make_shared<AlignedFloats>((static_cast<int64_t>(to.get_size()) + 3) / 4);
    memory source(from, dnnl_engine(), const_cast<int8_t*>(plan_->kernel.data()));  // oneDNN's handles know no const
    memory result(to, dnnl_engine(), target->data());
    dnnl::reorder(source, result).execute(dnnl_stream(), source, result);
    dnnl_stream().wait();
    return target;
  }

  std::shared_ptr<const Int8ConvPlan> plan_;
  int in_, out_, scratch_;
  std::shared_ptr<const AlignedFloats> weights_;
  dnnl::convolution_forward primitive_;
  std::unordered_map<int, memory> args_;
};

// Sample by sample, so that the floats of one are still in cache when they become bytes.
class FirstConvToBytes : public Op {
 public:
  FirstConvToBytes(const ConvSpec& spec, const FoldedConv& folded, const Step& step, const Value& in,
                   const ByteValue& out, Arena& arena)
      : shape_(first_conv_shape(spec, step.pool >= 0)),
        act_(spec.act),
        threads_(thread_count()),
        in_(in.buffer),
        value_(out),
        floats_(arena.add(shape_.out().sample())),
        scratch_(arena.add(first_conv_scratch(shape_, threads_))),
        bias_(padded_channels(spec.out.c)) {
    node = step.node;
    forward_buffers = {in_, value_.buffer, floats_, scratch_};
    const std::vector<float> packed = pack_first_conv(folded.weights, spec.in.c, spec.out.c);
    weights_ = AlignedFloats(std::ssize(packed));
    std::copy(packed.begin(), packed.end(), weights_.data());
    std::copy(folded.bias.begin(), folded.bias.end(), bias_.data());
  }

  void bind(const Arena& arena) override { arena_ = &arena; }

  void forward(const Run& run) override {
    const int64_t one = shape_.in.c * shape_.in.pixels();
    float* floats = arena_->at(floats_);
    auto* y = reinterpret_cast<uint8_t*>(arena_->at(value_.buffer));
    for (int64_t s = 0; s < run.n; ++s, y += value_.sample()) {
      first_conv(shape_, 1, arena_->at(in_) + s * one, weights_.data(), bias_.data(), act_, floats,
                 arena_->at(scratch_), threads_);
      const Map& map = value_.map;
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
      for (int64_t block = 0; block < map.blocks(); ++block) {
        int8_loops().quantise(floats + block * map.plane(), map.pixels(), 1 / value_.format.scale, value_.format.low(),
                              value_.format.high(), y + block * simd().lanes, value_.channels());
      }
    }
  }
  std::string describe() const override {
    return fmt::format("first:{}{}, to int8", simd().name, shape_.pool ? ", with its maxpool" : "");
  }

 private:
  FirstConvShape shape_;
  Act act_;
  int threads_, in_;
  ByteValue value_;
  int floats_, scratch_;
  AlignedFloats weights_, bias_;
  const Arena* arena_ = nullptr;
};

}  // namespace

Int8Kernel quantise_kernel(std::span<const float> hwio, const Shape& shape) {
  const int64_t taps = shape[0] * shape[1], inputs = shape[2], outputs = shape[3], rows = padded16(inputs);
  Int8Kernel kernel{std::vector<int8_t>(static_cast<size_t>(padded16(outputs) * rows * taps)),
                    std::vector<float>(static_cast<size_t>(padded16(outputs)), 1.0F)};
  for (int64_t o = 0; o < outputs; ++o) {
    const auto weight = [&](int64_t tap, int64_t i) {
      return hwio[static_cast<size_t>((tap * inputs + i) * outputs + o)];
    };
    float largest = 0;
    for (int64_t i = 0; i < taps * inputs; ++i) largest = std::max(largest, std::abs(weight(i / inputs, i % inputs)));
    float& scale = kernel.scales[static_cast<size_t>(o)];
    if (largest >= 1e-30F) scale = largest / 127;
    for (int64_t i = 0; i < inputs; ++i) {
      for (int64_t tap = 0; tap < taps; ++tap) {
        kernel.bytes[static_cast<size_t>((o * rows + i) * taps + tap)] =
            static_cast<int8_t>(std::lround(weight(tap, i) / scale));
      }
    }
  }
  return kernel;
}

std::shared_ptr<const Int8ConvPlan> plan_int8_conv(const ConvSpec& given, const ByteValue& in, const ByteValue& out,
                                                   const FoldedConv& folded, const Shape& shape) {
  const ConvSpec spec = laid_flat(given);
  const Attributes& a = spec.attributes;
  Int8Kernel kernel = quantise_kernel(folded.weights, shape);
  const int64_t outputs = std::ssize(kernel.scales);
  auto plan = std::make_shared<Int8ConvPlan>();
  plan->bias = AlignedFloats(outputs);
  for (int64_t o = 0; o < outputs; ++o) {
    float& scale = kernel.scales[static_cast<size_t>(o)];
    scale *= in.format.scale;
    if (o < std::ssize(folded.bias)) plan->bias.data()[o] = folded.bias[static_cast<size_t>(o)] / scale;
  }
  using tag = memory::format_tag;
  const memory::desc x({spec.batch, in.channels(), spec.in.h, spec.in.w}, type_of(in.format, false), tag::nhwc),
      w({outputs, in.channels(), a.kernel_h, a.kernel_w}, memory::data_type::s8, tag::any),
      b({outputs}, memory::data_type::f32, tag::x),
      y({spec.batch, outputs, spec.out.h, spec.out.w}, type_of(out.format, true), tag::nhwc);
  const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_inference, algorithm::convolution_direct, x, w, b,
                                             y, {a.stride_h, a.stride_w}, {a.dilation - 1, a.dilation - 1},
                                             {a.pad_top, a.pad_left}, {a.pad_bottom, a.pad_right});
  plan->pd = dnnl::convolution_forward::primitive_desc(desc, attributes(spec.act, kernel.scales, out.format.scale),
                                                       dnnl_engine(), true);
  if (!plan->pd || std::string_view(plan->pd.impl_info_str()).starts_with("ref")) return nullptr;
  plan->kernel = std::move(kernel.bytes);
  return plan;
}

std::unique_ptr<Op> make_int8_conv(std::shared_ptr<const Int8ConvPlan> plan, const Step& step, const ByteValue& in,
                                   const ByteValue& out, Arena& arena, Int8Weights& weights) {
  return std::make_unique<Int8Conv>(std::move(plan), step, in, out, arena, weights);
}

std::unique_ptr<Op> make_first_conv_to_bytes(const ConvSpec& spec, const FoldedConv& folded, const Step& step,
                                             const Value& in, const ByteValue& out, Arena& arena) {
  return std::make_unique<FirstConvToBytes>(spec, folded, step, in, out, arena);
}

}  // namespace lepton::cpu
