#include "engine/cpu/conv.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <unordered_map>

#include "base/error.h"
#include "engine/cpu/conv_pd.h"
#include "engine/cpu/first_conv.h"
#include "engine/cpu/threads.h"
#include "engine/cpu/winograd.h"

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
    const Shape& kernel = conv.parameters[0].shape;
    const FoldedConv folded = fold(graph, step, parameters);
    const bool depthwise = conv.kind == LayerKind::dwconv;
    const Packing packing = depthwise ? pack_depthwise(kernel) : pack_conv(forward_.pd.weights_desc());
    weights_ = AlignedFloats(packing.size);
    pack(packing, kernel, folded.weights.data(), weights_.data());
    bias_ = AlignedFloats(padded_channels(kernel[3]));
    std::copy(folded.bias.begin(), folded.bias.end(), bias_.data());
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
  int in_, out_;
  ForwardPd forward_;
  int scratch_;
  AlignedFloats weights_, bias_;
  dnnl::convolution_forward primitive_;
  std::unordered_map<int, memory> args_;
};

// How a convolution of ours is computed. Shape: its maps, and out() of what it computes. P: what is multiplied.
template <class Shape, class P>
struct Algorithm {
  const char* name;
  std::vector<P> (*pack)(std::span<const float> kernel, int64_t inputs, int64_t outputs);
  void (*run)(const Shape& shape, int64_t n, const float* x, const P* packed, const float* bias, Act act, float* y,
              float* scratch, int threads);
};
constexpr Algorithm<WinogradShape, float> kWinograd{"winograd", pack_winograd, winograd};
constexpr Algorithm<WinogradShape, Bf16> kWinogradInBf16{"winograd in bf16", pack_winograd, winograd};
constexpr Algorithm<FirstConvShape, float> kFirst{"first", pack_first_conv, first_conv};

template <class Shape, class P>
class InferenceOwnConv : public Op {
 public:
  InferenceOwnConv(const Algorithm<Shape, P>& algorithm, const Shape& shape, const ConvSpec& spec,
                   const FoldedConv& folded, const Step& step, const Value& in, const Value& out, int scratch)
      : algorithm_(algorithm),
        shape_(shape),
        batch_(spec.batch),
        act_(spec.act),
        threads_(thread_count()),
        in_(in.buffer),
        out_(out.buffer),
        scratch_(scratch),
        bias_(padded_channels(spec.out.c)) {
    node = step.node;
    forward_buffers = {in_, out_, scratch_};
    std::copy(folded.bias.begin(), folded.bias.end(), bias_.data());
    const std::vector<P> packed = algorithm.pack(folded.weights, spec.in.c, spec.out.c);
    weights_ = AlignedFloats((std::ssize(packed) * static_cast<int64_t>(sizeof(P)) + 3) / 4);
    std::memcpy(weights_.data(), packed.data(), packed.size() * sizeof(P));
  }

  void bind(const Arena& arena) override { arena_ = &arena; }
  void forward(const Run& run) override {
    const int64_t sample = shape_.out().sample();
    float* y = arena_->at(out_);
    algorithm_.run(shape_, run.n, arena_->at(in_), reinterpret_cast<const P*>(weights_.data()), bias_.data(), act_, y,
                   arena_->at(scratch_), threads_);
    std::fill_n(y + run.n * sample, (batch_ - run.n) * sample, 0.0F);
  }
  std::string describe() const override {
    return fmt::format("{}:{}{}", algorithm_.name, simd().name, shape_.pool ? ", with its maxpool" : "");
  }

 private:
  const Algorithm<Shape, P>& algorithm_;
  Shape shape_;
  int64_t batch_;
  Act act_;
  int threads_;
  int in_, out_, scratch_;
  AlignedFloats weights_, bias_;
  const Arena* arena_ = nullptr;
};

}  // namespace

FoldedConv fold(const Graph& graph, const Step& step, const ParameterSet& parameters) {
  const Node& conv = graph.nodes[static_cast<size_t>(step.node)];
  FoldedConv folded{parameters.at(conv.name + "/kernel").values, {}};
  std::vector<float>&weights = folded.weights, &bias = folded.bias;
  bias.assign(static_cast<size_t>(conv.parameters[0].shape[3]), 0.0F);
  if (const NamedTensor* b = parameters.find(conv.name + "/bias")) bias = b->values;
  if (step.norm < 0) return folded;
  const Node& norm = graph.nodes[static_cast<size_t>(step.norm)];
  const auto values = [&](const char* role) { return parameters.at(norm.name + "/" + role).values; };
  const std::vector<float> gamma = values("gamma"), beta = values("beta"), mean = values("mean"),
                           variance = values("variance");
  std::vector<double> factor(bias.size());
  for (size_t c = 0; c < bias.size(); ++c) {
    factor[c] = gamma[c] / std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(norm.attributes.epsilon));
    bias[c] = static_cast<float>((bias[c] - mean[c]) * factor[c] + beta[c]);
  }
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(weights[i] * factor[i % bias.size()]);
  return folded;
}

memory::data_type dnnl_type(Element element) {
  return element == Element::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc activation_desc(const Map& map, bool planar, int64_t batch, Element element) {
  using tag = memory::format_tag;
  const tag blocked = simd().lanes == 16 ? tag::nChw16c : tag::nChw8c;
  return {{batch, map.c, map.h, map.w}, dnnl_type(element), planar ? tag::nchw : blocked};
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

bool conv_pools(const ConvSpec& spec, const Attributes& pool) {
  const bool halves = pool.kernel_h == 2 && pool.kernel_w == 2 && pool.stride_h == 2 && pool.stride_w == 2 &&
                      pool.pad_top == 0 && pool.pad_left == 0;
  return halves && (spec.act == Act::none || spec.act == Act::relu) &&
         (first_conv_pays(spec) || winograd_answers(spec));
}

bool winograd_pays(const ConvSpec& spec) {
  const Attributes& a = spec.attributes;
  return !spec.depthwise && spec.element == Element::fp32 && simd().lanes == 16 && a.kernel_h == 3 && a.kernel_w == 3 &&
         a.stride_h == 1 && a.stride_w == 1 && a.dilation == 1 && spec.in.c >= 16 && spec.out.c >= 16;
}

std::unique_ptr<Op> make_inference_conv(const ConvSpec& spec, const Graph& graph, const Step& step, const Value& in,
                                        const Value& out, Arena& arena, const ParameterSet& parameters) {
  const bool pool = step.pool >= 0;
  const auto own = [&]<class Shape, class P>(const Algorithm<Shape, P>& algorithm, const Shape& shape,
                                             int64_t scratch) -> std::unique_ptr<Op> {
    return std::make_unique<InferenceOwnConv<Shape, P>>(algorithm, shape, spec, fold(graph, step, parameters), step, in,
                                                        out, arena.add(scratch));
  };
  if (first_conv_pays(spec)) {
    const FirstConvShape shape = first_conv_shape(spec, pool);
    return own(kFirst, shape, first_conv_scratch(shape, thread_count()));
  }
  if (winograd_answers(spec)) {
    const WinogradShape shape{spec.in, spec.out, spec.attributes.pad_top, spec.attributes.pad_left, pool};
    if (spec.bf16_products)
      return own(kWinogradInBf16, shape, winograd_scratch<Bf16>(shape, spec.batch, thread_count()));
    return own(kWinograd, shape, winograd_scratch<float>(shape, spec.batch, thread_count()));
  }
  auto op = std::make_unique<InferenceConv>(spec, step, in, out, arena);
  op->load(graph, step, parameters);
  return op;
}

}  // namespace lepton::cpu
