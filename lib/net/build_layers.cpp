// Text to graph: what each layer makes of its words.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "net/arguments.h"
#include "net/builder.h"

namespace lepton {
namespace {

bool wants_bias(const Item& item, bool otherwise) {
  if (item.flag("bias") && item.flag("nobias")) fail_item(item, "`bias` and `nobias` exclude each other");
  return item.flag("bias") || (otherwise && !item.flag("nobias"));
}

// Output extent along one axis, or an error if no window fits.
int64_t extent_of(const Item& item, int64_t size, int64_t padded, int64_t reach, int64_t stride) {
  if (padded < reach) {
    fail_item(item, fmt::format("its window of {} does not fit the map of {}; use a smaller window, less pooling "
                                "before it, or larger inputs",
                                reach, size));
  }
  return (padded - reach) / stride + 1;
}

}  // namespace

void Builder::embed(const Item& item) {
  if (graph_.tokens == 0) fail_item(item, "reads texts, i.e. token numbers; this data has none");
  if (current_ != 0) fail_item(item, "must be the first layer: it reads the token numbers");
  const int64_t values = whole(item, "the number of values", item.plain[0], 1);
  limited_product(item, "its table", {graph_.tokens, values});
  append(item, LayerKind::embed, "embed", {graph_.input[0], 1, values}).token_stride = 1;
  clean_.back() = true;
  parameter(item, Role::table, {graph_.tokens, values}, table_init_of(item));
}

void Builder::slide(const Attributes& a) {
  int64_t& stride = graph_.nodes.back().token_stride;
  stride = std::min(stride * a.stride_h, int64_t{1} << 40);  // far beyond any text
}

// The output of a window written as `text` with the item's stride, dilation and padding, which go into `a`.
Shape Builder::window(const Item& item, const std::string& text, int64_t channels, Attributes& a) const {
  const Shape& in = map_of(item);
  std::tie(a.kernel_h, a.kernel_w) = extents(item, "the window KxK", text, 1, upright_);
  if (const std::string* stride = item.option("stride")) {
    std::tie(a.stride_h, a.stride_w) = extents(item, "stride=", *stride, 1, upright_);
  }
  if (const std::string* dilation = item.option("dilation")) a.dilation = whole(item, "dilation=", *dilation, 1);
  const int64_t reach_h = (a.kernel_h - 1) * a.dilation + 1, reach_w = (a.kernel_w - 1) * a.dilation + 1;
  padding(item, in, reach_h, reach_w, a);
  const int64_t h = extent_of(item, in[0], in[0] + a.pad_top + a.pad_bottom, reach_h, a.stride_h);
  const int64_t w = extent_of(item, in[1], in[1] + a.pad_left + a.pad_right, reach_w, a.stride_w);
  return {h, w, channels};
}

void Builder::conv(const Item& item, bool norm) {
  const int64_t filters = whole(item, "the number of filters", item.plain[0], 1);
  Attributes a;
  const Shape out = window(item, item.plain[1], filters, a);
  if (a.kernel_h > 1) masked(item);
  conv_node(item, "conv", a, out, init_of(item));
  if (wants_bias(item, !norm)) bias(item, filters, init_of(item));
}

void Builder::dwconv(const Item& item, bool norm) {
  const int64_t channels = map_of(item)[2];
  Attributes a;
  const Shape out = window(item, item.plain[0], channels, a);
  limited_product(item, "its kernel", {a.kernel_h, a.kernel_w, channels});
  if (a.kernel_h > 1) masked(item);
  append(item, LayerKind::dwconv, "dwconv", out).attributes = a;
  slide(a);
  parameter(item, Role::kernel, {a.kernel_h, a.kernel_w, 1, channels}, init_of(item));
  if (wants_bias(item, !norm)) bias(item, channels, init_of(item));
}

void Builder::conv_node(const Item& item, const char* word, const Attributes& a, const Shape& out, Init init) {
  const int64_t channels = last().shape[2];
  limited_product(item, "its kernel", {a.kernel_h, a.kernel_w, channels, out[2]});
  append(item, LayerKind::conv, word, out).attributes = a;
  slide(a);
  parameter(item, Role::kernel, {a.kernel_h, a.kernel_w, channels, out[2]}, init, init != Init::whiten);
}

void Builder::padding(const Item& item, const Shape& in, int64_t reach_h, int64_t reach_w, Attributes& a) const {
  const std::string* pad = item.option("pad");
  if (item.flag("valid") + item.flag("same") + (pad != nullptr) > 1) {
    fail_item(item, "`valid`, `same` and pad= exclude each other");
  }
  if (item.flag("valid")) return;
  if (pad) {
    std::tie(a.pad_top, a.pad_left) = extents(item, "pad=", *pad, 0, upright_);
    if (a.pad_top >= reach_h || a.pad_left >= reach_w) {
      fail_item(item, fmt::format("pad={} is not smaller than the window of {}x{}", shown(*pad), reach_h, reach_w));
    }
    a.pad_bottom = a.pad_top;
    a.pad_right = a.pad_left;
    return;
  }
  const auto total = [](int64_t size, int64_t reach, int64_t stride) {
    return std::max<int64_t>(0, ((size - 1) / stride) * stride + reach - size);
  };
  const int64_t vertical = total(in[0], reach_h, a.stride_h), horizontal = total(in[1], reach_w, a.stride_w);
  a.pad_top = vertical / 2;
  a.pad_bottom = vertical - a.pad_top;
  a.pad_left = horizontal / 2;
  a.pad_right = horizontal - a.pad_left;
}

void Builder::whiten(const Item& item) {
  if (graph_.input.rank() != 3) fail_item(item, "whitens images; this data has none");
  if (current_ != 0) fail_item(item, "must be the first layer: it is computed from the training images");
  const Shape in = map_of(item);
  Attributes a;
  std::tie(a.kernel_h, a.kernel_w) = extents(item, "the window KxK", item.plain[0], 1, false);
  const int64_t patch = limited_product(item, "its patch", {a.kernel_h, a.kernel_w, in[2]});
  if (patch > 256) {
    fail_item(item, fmt::format("a patch of {}x{}x{} has {} values; at most 256 can be whitened", a.kernel_h,
                                a.kernel_w, in[2], patch));
  }
  const int64_t h = extent_of(item, in[0], in[0], a.kernel_h, 1), w = extent_of(item, in[1], in[1], a.kernel_w, 1);
  conv_node(item, "whiten", a, {h, w, 2 * patch}, Init::whiten);
  if (!wants_bias(item, true)) return;
  bias(item, 2 * patch, Init::torch);
  graph_.nodes.back().parameters.back().epochs = static_cast<float>(number_option(item, "bias-epochs", 0, 0, 1e6));
}

void Builder::dense(const Item& item, bool norm) {
  if (last().shape.rank() > 1) flatten(item);
  const int64_t inputs = last().shape[0];
  const int64_t outputs =
      item.plain[0] == "classes" ? graph_.classes : whole(item, "the number of outputs", item.plain[0], 1);
  limited_product(item, "its kernel", {inputs, outputs});
  append(item, LayerKind::dense, "dense", {outputs});
  parameter(item, Role::kernel, {inputs, outputs}, init_of(item));
  if (wants_bias(item, !norm)) bias(item, outputs, init_of(item));
}

void Builder::pool(const Item& item, LayerKind kind) {
  const Shape in = map_of(item);
  Attributes a;
  std::tie(a.kernel_h, a.kernel_w) = extents(item, "the window", item.plain[0], 1, upright_);
  std::tie(a.stride_h, a.stride_w) = std::pair(a.kernel_h, a.kernel_w);
  if (const std::string* text = item.option("stride")) {
    std::tie(a.stride_h, a.stride_w) = extents(item, "stride=", *text, 1, upright_);
  }
  const int64_t h = extent_of(item, in[0], in[0], a.kernel_h, a.stride_h);
  const int64_t w = extent_of(item, in[1], in[1], a.kernel_w, a.stride_w);
  if (a.kernel_h > 1) masked(item);
  append(item, kind, kind_name(kind), {h, w, in[2]}).attributes = a;
  slide(a);
}

void Builder::globalpool(const Item& item) {
  const Shape in = map_of(item);
  const std::string& which = item.plain[0];
  if (which != "max" && which != "avg") {
    fail_item(item, fmt::format("write `globalpool max` or `globalpool avg`, not `{}`", shown(which)));
  }
  const LayerKind kind = which == "max" ? LayerKind::globalmax : LayerKind::globalavg;
  append(item, kind, kind_name(kind), {in[2]});
}

void Builder::batchnorm(const Item& item) {
  const Shape shape = last().shape;
  const int64_t channels = shape[shape.rank() - 1];
  const std::string* fixed = item.option("scale");
  if (fixed && *fixed != "fixed") fail_item(item, "scale= knows only scale=fixed: gamma stays 1");
  Node& node = append(item, LayerKind::batchnorm, "bn", shape);
  node.attributes.epsilon = static_cast<float>(number_option(item, "eps", 1e-5, 1e-30, 1));
  node.attributes.keep = static_cast<float>(number_option(item, "keep", 0.9, 0, 0.9999));
  parameter(item, Role::gamma, {channels}, Init::one, fixed == nullptr);
  parameter(item, Role::beta, {channels}, Init::zero);
  parameter(item, Role::mean, {channels}, Init::zero, false);
  parameter(item, Role::variance, {channels}, Init::one, false);
}

void Builder::plain(const Item& item, LayerKind kind) { append(item, kind, kind_name(kind), Shape(last().shape)); }

void Builder::dropout(const Item& item) {
  const double rate = number(item, "the share dropped", item.plain[0], 0, 0.99);
  append(item, LayerKind::dropout, "dropout", Shape(last().shape)).attributes.rate = static_cast<float>(rate);
}

void Builder::flatten(const Item& item) {
  masked(item);
  append(item, LayerKind::flatten, "flatten", {last().shape.elements()});
}

void Builder::scale(const Item& item) {
  const std::string& text = item.plain[0];
  const size_t slash = text.find('/');
  double factor = number(item, "the factor", text.substr(0, slash), -1e6, 1e6);
  if (slash != std::string::npos) factor /= number(item, "the divisor", text.substr(slash + 1), 1e-6, 1e6);
  append(item, LayerKind::scale, "scale", Shape(last().shape)).attributes.factor = static_cast<float>(factor);
}

}  // namespace lepton
