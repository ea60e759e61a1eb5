#include "engine/cpu/conv.h"

#include <cmath>
#include <unordered_map>

#include "base/error.h"
#include "engine/cpu/conv_pd.h"

namespace lepton::cpu {
namespace {

using dnnl::memory;

class InferenceConv : public Op {
 public:
  InferenceConv(const ConvSpec& spec, const Step& step, const Value& in, const Value& out, Arena& arena)
      : in_(in.buffer),
        out_(out.buffer),
        forward_(make_forward(laid_flat(spec), false)),
        scratch_(arena.add(scratch_floats(forward_.pd))) {
    node = step.node;
    forward_buffers = {in_, out_, scratch_};
  }

  void load(const Graph& graph, const Step& step, const ParameterSet& parameters) {
    const Node& conv = graph.nodes[static_cast<size_t>(step.node)];
    const Parameter& kernel = conv.parameters[0];
    std::vector<float> weights = parameters.at(conv.name + "/kernel").values;
    const size_t channels = static_cast<size_t>(kernel.shape[3]);
    std::vector<float> bias(channels, 0.0F);
    if (const NamedTensor* b = parameters.find(conv.name + "/bias")) bias = b->values;
    if (step.norm >= 0) fold(graph.nodes[static_cast<size_t>(step.norm)], parameters, weights, bias);
    const bool depthwise = conv.kind == LayerKind::dwconv;
    const Packing packing = depthwise ? pack_depthwise(kernel.shape) : pack_conv(forward_.pd.weights_desc());
    weights_ = AlignedFloats(packing.size);
    pack(packing, kernel.shape, weights.data(), weights_.data());
    bias_ = AlignedFloats(padded_channels(kernel.shape[3]));
    std::copy(bias.begin(), bias.end(), bias_.data());
  }

  void bind(const Arena& arena) override {
    const auto& e = dnnl_engine();
    args_ = {{DNNL_ARG_SRC, memory(forward_.pd.src_desc(), e, arena.at(in_))},
             {DNNL_ARG_WEIGHTS, memory(forward_.pd.weights_desc(), e, weights_.data())},
             {DNNL_ARG_BIAS, memory(forward_.pd.bias_desc(), e, bias_.data())},
             {DNNL_ARG_DST, memory(forward_.pd.dst_desc(), e, arena.at(out_))},
             {DNNL_ARG_SCRATCHPAD, memory(forward_.pd.scratchpad_desc(), e, arena.at(scratch_))}};
    primitive_ = dnnl::convolution_forward(forward_.pd);
  }

  void forward(const Run&) override { primitive_.execute(dnnl_stream(), args_); }
  std::string describe() const override { return forward_.pd.impl_info_str(); }

 private:
  static void fold(const Node& norm, const ParameterSet& parameters, std::vector<float>& weights,
                   std::vector<float>& bias) {
    const auto values = [&](const char* role) { return parameters.at(norm.name + "/" + role).values; };
    const std::vector<float> gamma = values("gamma"), beta = values("beta"), mean = values("mean"),
                             variance = values("variance");
    std::vector<double> factor(bias.size());
    for (size_t c = 0; c < bias.size(); ++c) {
      factor[c] = gamma[c] / std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(norm.attributes.epsilon));
      bias[c] = static_cast<float>((bias[c] - mean[c]) * factor[c] + beta[c]);
    }
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(weights[i] * factor[i % bias.size()]);
  }

  int in_, out_;
  ForwardPd forward_;
  int scratch_;
  AlignedFloats weights_, bias_;
  dnnl::convolution_forward primitive_;
  std::unordered_map<int, memory> args_;
};

}  // namespace

memory::desc activation_desc(const Map& map, bool planar, int64_t batch) {
  using tag = memory::format_tag;
  const tag blocked = simd().lanes == 16 ? tag::nChw16c : tag::nChw8c;
  return {{batch, map.c, map.h, map.w}, memory::data_type::f32, planar ? tag::nchw : blocked};
}

ConvSpec laid_flat(ConvSpec spec) {
  Attributes& a = spec.attributes;
  if (spec.in.w != 1 || spec.out.w != 1 || a.kernel_w != 1 || a.pad_left + a.pad_right != 0) return spec;
  std::swap(spec.in.h, spec.in.w);
  std::swap(spec.out.h, spec.out.w);
  std::swap(a.kernel_h, a.kernel_w);
  std::swap(a.stride_h, a.stride_w);
  std::swap(a.pad_top, a.pad_left);
  std::swap(a.pad_bottom, a.pad_right);
  return spec;
}

bool winograd_pays(const ConvSpec& spec) {
  const Attributes& a = spec.attributes;
  return !spec.depthwise && simd().lanes == 16 && a.kernel_h == 3 && a.kernel_w == 3 && a.stride_h == 1 &&
         a.stride_w == 1 && a.dilation == 1 && spec.in.c >= 16 && spec.out.c >= 16;
}

std::unique_ptr<Op> make_inference_conv(const ConvSpec& spec, const Graph& graph, const Step& step, const Value& in,
                                        const Value& out, Arena& arena, const ParameterSet& parameters) {
  auto op = std::make_unique<InferenceConv>(spec, step, in, out, arena);
  op->load(graph, step, parameters);
  return op;
}

}  // namespace lepton::cpu
