// Text to graph: shapes, defaults, names, limits.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "net/graph.h"
#include "net/parse.h"

namespace lepton {
namespace {

// Far above anything trainable here, far below what would overflow a product of two.
constexpr int64_t kMaxExtent = 1 << 20;
constexpr int64_t kMaxElements = int64_t{1} << 28;    // of one sample's map, or of one parameter
constexpr int64_t kMaxParameters = int64_t{1} << 30;  // of the whole network
constexpr double kMaxFlops = 1e15;

int64_t limited_product(const Item& item, const char* what, std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  for (const int64_t factor : factors) {
    if (factor > kMaxElements / product) {
      fail_item(item, fmt::format("{} would have more than {} values", what, with_commas(kMaxElements)));
    }
    product *= factor;
  }
  return product;
}

int64_t whole(const Item& item, const std::string& what, const std::string& text, int64_t least) {
  const std::optional<int64_t> value = parse_int(text);
  if (!value || *value < least || *value > kMaxExtent) {
    fail_item(item,
              fmt::format("{} must be a whole number from {} to {}, not `{}`", what, least, kMaxExtent, shown(text)));
  }
  return *value;
}

// "3x3", or "3" for both; height first.
std::pair<int64_t, int64_t> extents(const Item& item, const std::string& what, const std::string& text, int64_t least) {
  const size_t x = text.find('x');
  if (x == std::string::npos) {
    const int64_t both = whole(item, what, text, least);
    return {both, both};
  }
  return {whole(item, what, text.substr(0, x), least), whole(item, what, text.substr(x + 1), least)};
}

// A finite number in [low, high].
double number(const Item& item, const std::string& what, const std::string& text, double low, double high) {
  const std::optional<double> value = parse_double(text);
  if (!value || !(*value >= low && *value <= high)) {
    fail_item(item, fmt::format("{} must be a number from {} to {}, not `{}`", what, low, high, shown(text)));
  }
  return *value;
}

double number_option(const Item& item, const char* name, double otherwise, double low, double high) {
  const std::string* text = item.option(name);
  return text ? number(item, std::string(name) + "=", *text, low, high) : otherwise;
}

Init init_of(const Item& item) {
  const std::string* text = item.option("init");
  if (!text) return Init::he;
  const std::vector<std::pair<std::string, Init>> known = {
      {"he", Init::he}, {"torch", Init::torch}, {"dirac", Init::dirac}, {"unit", Init::unit}};
  std::vector<std::string> names;
  for (const auto& [name, init] : known) {
    if (name == *text) return init;
    names.push_back(name);
  }
  fail_item(item, fmt::format("init=`{}` is unknown{}", shown(*text), suggest(*text, names)));
}

class Builder {
 public:
  Builder(const std::string& text, const Shape& input, int64_t classes) {
    graph_.text = text;
    graph_.input = input;
    graph_.classes = classes;
    Node node;
    node.kind = LayerKind::input;
    node.name = "input";
    node.shape = input;
    graph_.nodes.push_back(std::move(node));
  }

  Graph build() {
    const std::vector<Item> items = parse_net(graph_.text);
    if (items.empty()) fail(Exit::usage, "net: the text holds no layer; the least is `dense classes`");
    sequence(items);
    if (!(last().shape == Shape{graph_.classes})) {
      fail_item(items.back(),
                fmt::format("the network ends in {} values, not {} classes; let its last layer be `dense classes`",
                            last().shape.to_string(), graph_.classes));
    }
    return std::move(graph_);
  }

 private:
  const Node& last() const { return graph_.nodes.back(); }
  const Node& at(NodeId id) const { return graph_.nodes[static_cast<size_t>(id)]; }

  void sequence(const std::vector<Item>& items) {
    for (size_t i = 0; i < items.size(); ++i) layer(items, i);
  }

  void layer(const std::vector<Item>& items, size_t i) {
    const Item& item = items[i];
    if (item.is("conv")) return conv(item, norm_follows(items, i));
    if (item.is("dense")) return dense(item, norm_follows(items, i));
    if (item.is("whiten")) return whiten(item);
    if (item.is("maxpool")) return pool(item, LayerKind::maxpool);
    if (item.is("avgpool")) return pool(item, LayerKind::avgpool);
    if (item.is("globalpool")) return globalpool(item);
    if (item.is("bn")) return batchnorm(item);
    if (item.is("relu")) return plain(item, LayerKind::relu);
    if (item.is("gelu")) return plain(item, LayerKind::gelu);
    if (item.is("silu")) return plain(item, LayerKind::silu);
    if (item.is("dropout")) return dropout(item);
    if (item.is("flatten")) return flatten(item);
    if (item.is("scale")) return scale(item);
    if (item.is("residual")) return residual(item);
    fail(Exit::bug, "no builder for layer {}", item.row->word);
  }

  // A batch-norm right behind, or behind pools, takes any constant off again: a bias would do nothing.
  static bool norm_follows(const std::vector<Item>& items, size_t i) {
    for (size_t next = i + 1; next < items.size(); ++next) {
      if (items[next].is("bn")) return true;
      if (!items[next].is("maxpool") && !items[next].is("avgpool") && !items[next].is("globalpool")) return false;
    }
    return false;
  }

  // Appends a node that reads the last one. `word` names it, as "conv3".
  Node& append(const Item& item, LayerKind kind, const std::string& word, const Shape& shape) {
    limited_product(
        item, "its output",
        {shape.rank() > 0 ? shape[0] : 1, shape.rank() > 1 ? shape[1] : 1, shape.rank() > 2 ? shape[2] : 1});
    Node node;
    node.kind = kind;
    node.name = word + std::to_string(++counts_[word]);
    node.inputs = {graph_.output()};
    node.shape = shape;
    graph_.nodes.push_back(std::move(node));
    return graph_.nodes.back();
  }

  void parameter(const Item& item, Role role, const Shape& shape, Init init, bool trainable = true) {
    Parameter p;
    p.role = role;
    p.shape = shape;
    p.init = init;
    p.trainable = trainable && !item.flag("freeze");
    p.lr_scale = static_cast<float>(number_option(item, "lr", 1, 0, 1e6));
    total_ += shape.elements();
    if (total_ > kMaxParameters) {
      fail_item(item, fmt::format("the network would have more than {} parameters", with_commas(kMaxParameters)));
    }
    graph_.nodes.back().parameters.push_back(p);
    if (role == Role::kernel) {
      flops_ += static_cast<double>(node_flops(graph_.nodes.back()));
      if (flops_ > kMaxFlops)
        fail_item(item, fmt::format("the network would need more than {} FLOPs an image", kMaxFlops));
    }
  }

  const Shape& map_of(const Item& item) const {
    if (last().shape.rank() != 3) {
      fail_item(item, fmt::format("needs a map of height, width and channels, but gets {} values; it cannot follow "
                                  "flatten, globalpool or dense",
                                  last().shape.to_string()));
    }
    return last().shape;
  }

  static bool wants_bias(const Item& item, bool otherwise) {
    if (item.flag("bias") && item.flag("nobias")) fail_item(item, "`bias` and `nobias` exclude each other");
    return item.flag("bias") || (otherwise && !item.flag("nobias"));
  }

  void bias(const Item& item, int64_t channels, Init kernel_init) {
    parameter(item, Role::bias, {channels}, kernel_init == Init::he ? Init::zero : Init::torch);
  }

  // Output extent along one axis, or an error if no window fits.
  static int64_t extent_of(const Item& item, int64_t size, int64_t padded, int64_t reach, int64_t stride) {
    if (padded < reach) {
      fail_item(item, fmt::format("its window of {} does not fit the map of {}; use a smaller window, less pooling "
                                  "before it, or larger inputs",
                                  reach, size));
    }
    return (padded - reach) / stride + 1;
  }

  void conv(const Item& item, bool norm) {
    const Shape in = map_of(item);
    const int64_t filters = whole(item, "the number of filters", item.plain[0], 1);
    Attributes a;
    std::tie(a.kernel_h, a.kernel_w) = extents(item, "the window KxK", item.plain[1], 1);
    if (const std::string* text = item.option("stride")) {
      std::tie(a.stride_h, a.stride_w) = extents(item, "stride=", *text, 1);
    }
    if (const std::string* text = item.option("dilation")) a.dilation = whole(item, "dilation=", *text, 1);
    const int64_t reach_h = (a.kernel_h - 1) * a.dilation + 1, reach_w = (a.kernel_w - 1) * a.dilation + 1;
    padding(item, in, reach_h, reach_w, a);
    const int64_t h = extent_of(item, in[0], in[0] + a.pad_top + a.pad_bottom, reach_h, a.stride_h);
    const int64_t w = extent_of(item, in[1], in[1] + a.pad_left + a.pad_right, reach_w, a.stride_w);
    conv_node(item, "conv", a, {h, w, filters}, init_of(item));
    if (wants_bias(item, !norm)) bias(item, filters, init_of(item));
  }

  void conv_node(const Item& item, const char* word, const Attributes& a, const Shape& out, Init init) {
    const int64_t channels = last().shape[2];
    limited_product(item, "its kernel", {a.kernel_h, a.kernel_w, channels, out[2]});
    append(item, LayerKind::conv, word, out).attributes = a;
    parameter(item, Role::kernel, {a.kernel_h, a.kernel_w, channels, out[2]}, init, init != Init::whiten);
  }

  static void padding(const Item& item, const Shape& in, int64_t reach_h, int64_t reach_w, Attributes& a) {
    const std::string* pad = item.option("pad");
    if (item.flag("valid") + item.flag("same") + (pad != nullptr) > 1) {
      fail_item(item, "`valid`, `same` and pad= exclude each other");
    }
    if (item.flag("valid")) return;
    if (pad) {
      std::tie(a.pad_top, a.pad_left) = extents(item, "pad=", *pad, 0);
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

  void whiten(const Item& item) {
    if (graph_.output() != 0) fail_item(item, "must be the first layer: it is computed from the training images");
    const Shape in = map_of(item);
    Attributes a;
    std::tie(a.kernel_h, a.kernel_w) = extents(item, "the window KxK", item.plain[0], 1);
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

  void dense(const Item& item, bool norm) {
    if (last().shape.rank() > 1) flatten(item);
    const int64_t inputs = last().shape[0];
    const int64_t outputs =
        item.plain[0] == "classes" ? graph_.classes : whole(item, "the number of outputs", item.plain[0], 1);
    limited_product(item, "its kernel", {inputs, outputs});
    append(item, LayerKind::dense, "dense", {outputs});
    parameter(item, Role::kernel, {inputs, outputs}, init_of(item));
    if (wants_bias(item, !norm)) bias(item, outputs, init_of(item));
  }

  void pool(const Item& item, LayerKind kind) {
    const Shape in = map_of(item);
    Attributes a;
    std::tie(a.kernel_h, a.kernel_w) = extents(item, "the window", item.plain[0], 1);
    std::tie(a.stride_h, a.stride_w) = std::pair(a.kernel_h, a.kernel_w);
    if (const std::string* text = item.option("stride")) {
      std::tie(a.stride_h, a.stride_w) = extents(item, "stride=", *text, 1);
    }
    const int64_t h = extent_of(item, in[0], in[0], a.kernel_h, a.stride_h);
    const int64_t w = extent_of(item, in[1], in[1], a.kernel_w, a.stride_w);
    append(item, kind, kind_name(kind), {h, w, in[2]}).attributes = a;
  }

  void globalpool(const Item& item) {
    const Shape in = map_of(item);
    const std::string& which = item.plain[0];
    if (which != "max" && which != "avg") {
      fail_item(item, fmt::format("write `globalpool max` or `globalpool avg`, not `{}`", shown(which)));
    }
    const LayerKind kind = which == "max" ? LayerKind::globalmax : LayerKind::globalavg;
    append(item, kind, kind_name(kind), {in[2]});
  }

  void batchnorm(const Item& item) {
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

  void plain(const Item& item, LayerKind kind) { append(item, kind, kind_name(kind), Shape(last().shape)); }

  void dropout(const Item& item) {
    const double rate = number(item, "the share dropped", item.plain[0], 0, 0.99);
    append(item, LayerKind::dropout, "dropout", Shape(last().shape)).attributes.rate = static_cast<float>(rate);
  }

  void flatten(const Item& item) { append(item, LayerKind::flatten, "flatten", {last().shape.elements()}); }

  void scale(const Item& item) {
    const std::string& text = item.plain[0];
    const size_t slash = text.find('/');
    double factor = number(item, "the factor", text.substr(0, slash), -1e6, 1e6);
    if (slash != std::string::npos) factor /= number(item, "the divisor", text.substr(slash + 1), 1e-6, 1e6);
    append(item, LayerKind::scale, "scale", Shape(last().shape)).attributes.factor = static_cast<float>(factor);
  }

  void residual(const Item& item) {
    const NodeId start = graph_.output();
    sequence(item.body);
    const NodeId end = graph_.output();
    NodeId around = start;
    if (item.flag("project")) {
      around = projection(item, start, end);
    } else if (!(at(start).shape == at(end).shape)) {
      fail_item(item, fmt::format("the block turns {} into {}, which cannot be added; keep the shape, or write "
                                  "`residual project {{`",
                                  at(start).shape.to_string(), at(end).shape.to_string()));
    }
    append(item, LayerKind::add, "add", Shape(at(end).shape)).inputs = {end, around};
  }

  // The way around a block that changes the shape: 1x1 convolution and batch-norm (He et al. 2016, option B).
  NodeId projection(const Item& item, NodeId start, NodeId end) {
    const Shape in = at(start).shape, out = at(end).shape;
    if (in.rank() != 3 || out.rank() != 3) fail_item(item, "`project` needs maps before and behind the block");
    Attributes a;
    a.stride_h = (in[0] + out[0] - 1) / out[0];
    a.stride_w = (in[1] + out[1] - 1) / out[1];
    if ((in[0] - 1) / a.stride_h + 1 != out[0] || (in[1] - 1) / a.stride_w + 1 != out[1]) {
      fail_item(item, fmt::format("no stride of a 1x1 convolution turns {} into {}", in.to_string(), out.to_string()));
    }
    const size_t conv = graph_.nodes.size();
    append(item, LayerKind::conv, "project", out).attributes = a;
    graph_.nodes[conv].inputs = {start};
    limited_product(item, "its projection", {in[2], out[2]});
    parameter(item, Role::kernel, {1, 1, in[2], out[2]}, Init::he);
    batchnorm(item);
    return graph_.output();
  }

  Graph graph_;
  std::map<std::string, int> counts_;
  int64_t total_ = 0;
  double flops_ = 0;
};

}  // namespace

Graph build_graph(const std::string& text, const Shape& input, int64_t classes) {
  if (input.rank() < 1 || input.rank() > 3 || classes < 1 || classes > kMaxExtent) {
    fail(Exit::usage, "net: no network for inputs of {} and {} classes", input.to_string(), classes);
  }
  double elements = 1;
  for (int axis = 0; axis < input.rank(); ++axis) {
    if (input[axis] < 1) fail(Exit::usage, "net: no network for inputs of {}", input.to_string());
    elements *= static_cast<double>(input[axis]);
  }
  if (elements > static_cast<double>(kMaxElements)) {
    fail(Exit::usage, "net: inputs of {} have more than {} values", input.to_string(), with_commas(kMaxElements));
  }
  return Builder(text, input, classes).build();
}

}  // namespace lepton
