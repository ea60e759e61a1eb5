#include "engine/cpu/conv_pd.h"

#include <string_view>

#include "base/error.h"

namespace lepton::cpu {
namespace {

using dnnl::algorithm;
using dnnl::memory;

struct Geometry {
  memory::desc in, out, any_kernel, any_dkernel, bias;
  memory::dims strides, dilates, before, after;
};

// A depthwise convolution is told of the padded channels, so that its blocks are whole: they read and give zeros.
Geometry geometry(ConvSpec s) {
  const Attributes& a = s.attributes;
  const auto f32 = memory::data_type::f32, type = dnnl_type(s.element);
  const auto any_kernel = [&](memory::data_type t) -> memory::desc {
    return {{s.out.c, s.in.c, a.kernel_h, a.kernel_w}, t, memory::format_tag::any};
  };
  memory::desc kernel = any_kernel(type), dkernel = any_kernel(f32);
  if (s.depthwise) {
    s.in.c = s.out.c = padded_channels(s.out.c);
    const auto blocks = simd().lanes == 16 ? memory::format_tag::Goihw16g : memory::format_tag::Goihw8g;
    kernel = {{s.out.c, 1, 1, a.kernel_h, a.kernel_w}, type, blocks};
    dkernel = {kernel.dims(), f32, blocks};
  }
  return {activation_desc(s.in, s.planar, s.batch, s.element),
          activation_desc(s.out, false, s.batch, s.element),
          kernel,
          dkernel,
          s.bias ? memory::desc{{s.out.c}, f32, memory::format_tag::x} : memory::desc{},
          {a.stride_h, a.stride_w},
          {a.dilation - 1, a.dilation - 1},
          {a.pad_top, a.pad_left},
          {a.pad_bottom, a.pad_right}};
}

dnnl::primitive_attr attributes(Act act) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops ops;
  if (act == Act::relu) ops.append_eltwise(1.0F, algorithm::eltwise_relu, 0, 0);
  if (act == Act::gelu) ops.append_eltwise(1.0F, algorithm::eltwise_gelu_erf, 0, 0);
  if (act == Act::silu) ops.append_eltwise(1.0F, algorithm::eltwise_swish, 1, 0);
  attr.set_post_ops(ops);
  return attr;
}

// make(algorithm) gives an empty descriptor where oneDNN has none.
template <class Result, class Make>
Result choose(const ConvSpec& spec, bool winograd, Make make) {
  if (winograd) {
    Result result{make(algorithm::convolution_winograd), true};
    if (result.pd) return result;
  }
  Result result{make(algorithm::convolution_direct), false};
  if (!result.pd) {
    fail(Exit::usage, "cpu: no convolution of {}x{} on {}x{}x{}", spec.attributes.kernel_h, spec.attributes.kernel_w,
         spec.in.h, spec.in.w, spec.in.c);
  }
  return result;
}

// A zero descriptor: no layout is preferred. oneDNN runs a fixed kernel layout with whatever is left when its best code
// wants another: then take `any`.
template <class Pd, class Make>
Pd prefer_layout(const memory::desc& kernel, const memory::desc& any, Make make) {
  Pd free = make(any);
  if (!free || kernel.is_zero()) return free;
  Pd fixed = make(kernel);
  return fixed && std::string_view(fixed.impl_info_str()) == free.impl_info_str() ? fixed : free;
}

}  // namespace

ForwardPd make_forward(const ConvSpec& spec, bool training) {
  const Geometry g = geometry(spec);
  const auto prop = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  return choose<ForwardPd>(spec, training && winograd_pays(spec), [&](algorithm algo) {
    const dnnl::convolution_forward::desc desc(prop, algo, g.in, g.any_kernel, g.bias, g.out, g.strides, g.dilates,
                                               g.before, g.after);
    return dnnl::convolution_forward::primitive_desc(desc, attributes(spec.act), dnnl_engine(), true);
  });
}

DataPd make_backward_data(const ConvSpec& spec, const ForwardPd& forward, const memory::desc& kernel) {
  using Pd = dnnl::convolution_backward_data::primitive_desc;
  const Geometry g = geometry(spec);
  return choose<DataPd>(spec, winograd_pays(spec), [&](algorithm algo) {
    return prefer_layout<Pd>(kernel, g.any_kernel, [&](const memory::desc& k) {
      const dnnl::convolution_backward_data::desc desc(algo, g.in, k, g.out, g.strides, g.dilates, g.before, g.after);
      return Pd(desc, attributes(Act::none), dnnl_engine(), forward.pd, true);
    });
  });
}

WeightsPd make_backward_weights(const ConvSpec& spec, const ForwardPd& forward, const memory::desc& kernel) {
  using Pd = dnnl::convolution_backward_weights::primitive_desc;
  const Geometry g = geometry(spec);
  return choose<WeightsPd>(spec, winograd_pays(spec), [&](algorithm algo) {
    return prefer_layout<Pd>(kernel, g.any_dkernel, [&](const memory::desc& k) {
      const dnnl::convolution_backward_weights::desc desc(algo, g.in, k, g.bias, g.out, g.strides, g.dilates, g.before,
                                                          g.after);
      return Pd(desc, attributes(Act::none), dnnl_engine(), forward.pd, true);
    });
  });
}

bool has_bf16_conv(ConvSpec spec) {
  spec.element = Element::bf16;
  spec = laid_flat(spec);
  const auto compiled = [](const auto& pass) { return std::string_view(pass.pd.impl_info_str()).starts_with("jit"); };
  const ForwardPd forward = make_forward(spec, true);
  return compiled(forward) && compiled(make_backward_weights(spec, forward, {})) &&
         (spec.planar || compiled(make_backward_data(spec, forward, forward.pd.weights_desc())));
}

}  // namespace lepton::cpu
