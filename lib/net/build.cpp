// Text to graph: the walk over the layers, names, limits, blocks.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "net/arguments.h"
#include "net/builder.h"

namespace lepton {
namespace {

// The first window that looks at several positions, as written; empty where something ends the map before.
std::string first_window(const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (item.is("conv")) return item.plain[1];
    if (item.is("dwconv") || item.is("maxpool") || item.is("avgpool") || item.is("whiten")) return item.plain[0];
    if (item.is("globalpool") || item.is("flatten") || item.is("dense") || item.is("embed")) return "";
    for (const std::vector<Item>& branch : item.branches) {
      const std::string found = first_window(branch);
      if (!found.empty()) return found;
    }
  }
  return "";
}

// A batch-norm right behind, or behind pools, takes any constant off again: a bias would do nothing.
bool norm_follows(const std::vector<Item>& items, size_t i) {
  for (size_t next = i + 1; next < items.size(); ++next) {
    if (items[next].is("bn")) return true;
    if (!items[next].is("maxpool") && !items[next].is("avgpool") && !items[next].is("globalpool")) return false;
  }
  return false;
}

// Layers whose output is 0 where their input is.
bool keeps_zero(LayerKind kind) {
  switch (kind) {
    case LayerKind::relu:
    case LayerKind::gelu:
    case LayerKind::silu:
    case LayerKind::scale:
    case LayerKind::dropout:
    case LayerKind::maxpool:  // windows that begin in padding hold nothing else
    case LayerKind::avgpool:
    case LayerKind::add:
    case LayerKind::concat:
      return true;
    default:
      return false;
  }
}

}  // namespace

Builder::Builder(const std::string& text, const Shape& input, int64_t classes, int64_t tokens) {
  graph_.text = text;
  graph_.input = input;
  graph_.classes = classes;
  graph_.tokens = tokens;
}

Graph Builder::build() {
  const std::vector<Item> items = parse_net(graph_.text);
  if (items.empty()) fail(Exit::usage, "net: the text holds no layer; the least is `dense classes`");
  read_input(items);
  sequence(items);
  if (!(last().shape == Shape{graph_.classes})) {
    fail_item(items.back(),
              fmt::format("the network ends in {} values, not {} classes; let its last layer be `dense classes`",
                          last().shape.to_string(), graph_.classes));
  }
  return std::move(graph_);
}

// Frames {T,F} are a sequence {T,1,F}, or a map {T,F,1} where the first window is written KxK.
void Builder::read_input(const std::vector<Item>& items) {
  Node node;
  node.kind = LayerKind::input;
  node.name = "input";
  node.shape = graph_.input;
  if (graph_.input.rank() == 2) {
    upright_ = first_window(items).find('x') == std::string::npos;
    node.shape = upright_ ? Shape{graph_.input[0], 1, graph_.input[1]} : Shape{graph_.input[0], graph_.input[1], 1};
  }
  if (graph_.tokens > 0) {
    upright_ = true;
    if (!items[0].is("embed")) fail_item(items[0], "texts are read by `embed`; let the first layer be `embed 128`");
  }
  graph_.nodes.push_back(std::move(node));
  clean_.push_back(true);
}

void Builder::sequence(const std::vector<Item>& items) {
  for (size_t i = 0; i < items.size(); ++i) layer(items, i);
}

void Builder::layer(const std::vector<Item>& items, size_t i) {
  const Item& item = items[i];
  if (item.is("embed")) return embed(item);
  if (item.is("conv")) return conv(item, norm_follows(items, i));
  if (item.is("dwconv")) return dwconv(item, norm_follows(items, i));
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
  if (item.is("parallel")) return parallel(item);
  fail(Exit::bug, "no builder for layer {}", item.row->word);
}

Node& Builder::append(const Item& item, LayerKind kind, const std::string& word, const Shape& shape) {
  limited_product(item, "its output",
                  {shape.rank() > 0 ? shape[0] : 1, shape.rank() > 1 ? shape[1] : 1, shape.rank() > 2 ? shape[2] : 1});
  Node node;
  node.kind = kind;
  node.name = word + std::to_string(++counts_[word]);
  node.inputs = {current_};
  node.shape = shape;
  if (shape.rank() == 3) node.token_stride = last().token_stride;
  clean_.push_back(keeps_zero(kind) && clean_[static_cast<size_t>(current_)]);
  graph_.nodes.push_back(std::move(node));
  current_ = graph_.output();
  return graph_.nodes.back();
}

Node& Builder::join(const Item& item, LayerKind kind, const Shape& shape, const std::vector<NodeId>& inputs) {
  bool clean = true;
  for (const NodeId input : inputs) {
    clean = clean && clean_[static_cast<size_t>(input)];
    if (at(input).token_stride != at(inputs[0]).token_stride) {
      fail_item(item,
                "its ways move over the text by different strides, so that their positions do not belong together");
    }
  }
  Node& node = append(item, kind, kind_name(kind), shape);
  node.inputs = inputs;
  clean_.back() = clean;
  return node;
}

void Builder::masked(const Item& item) {
  if (last().token_stride == 0 || clean_[static_cast<size_t>(current_)]) return;
  append(item, LayerKind::mask, "mask", Shape(last().shape));
  clean_.back() = true;
}

void Builder::parameter(const Item& item, Role role, const Shape& shape, Init init, bool trainable) {
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

void Builder::bias(const Item& item, int64_t channels, Init kernel_init) {
  parameter(item, Role::bias, {channels}, kernel_init == Init::he ? Init::zero : Init::torch);
}

const Shape& Builder::map_of(const Item& item) const {
  if (last().shape.rank() != 3) {
    fail_item(item, fmt::format("needs a map of height, width and channels, but gets {} values; it cannot follow "
                                "flatten, globalpool or dense",
                                last().shape.to_string()));
  }
  return last().shape;
}

void Builder::residual(const Item& item) {
  const NodeId start = current_;
  sequence(item.branches[0]);
  const NodeId end = current_;
  NodeId around = start;
  if (item.flag("project")) {
    around = projection(item, start, end);
  } else if (!(at(start).shape == at(end).shape)) {
    fail_item(item, fmt::format("the block turns {} into {}, which cannot be added; keep the shape, or write "
                                "`residual project {{`",
                                at(start).shape.to_string(), at(end).shape.to_string()));
  }
  join(item, LayerKind::add, Shape(at(end).shape), {end, around});
}

// The way around a block that changes the shape: 1x1 convolution and batch-norm (He et al. 2016, option B).
NodeId Builder::projection(const Item& item, NodeId start, NodeId end) {
  const Shape in = at(start).shape, out = at(end).shape;
  if (in.rank() != 3 || out.rank() != 3) fail_item(item, "`project` needs maps before and behind the block");
  Attributes a;
  a.stride_h = (in[0] + out[0] - 1) / out[0];
  a.stride_w = (in[1] + out[1] - 1) / out[1];
  if ((in[0] - 1) / a.stride_h + 1 != out[0] || (in[1] - 1) / a.stride_w + 1 != out[1]) {
    fail_item(item, fmt::format("no stride of a 1x1 convolution turns {} into {}", in.to_string(), out.to_string()));
  }
  current_ = start;
  append(item, LayerKind::conv, "project", out).attributes = a;
  slide(a);
  limited_product(item, "its projection", {in[2], out[2]});
  parameter(item, Role::kernel, {1, 1, in[2], out[2]}, Init::he);
  batchnorm(item);
  return current_;
}

// Branches that start from the same node; what comes out of them is joined along channels, in the order written.
void Builder::parallel(const Item& item) {
  if (item.branches.size() < 2) fail_item(item, "has one branch; a line `|` separates it from the next");
  masked(item);
  const NodeId start = current_;
  std::vector<NodeId> ends;
  Shape joined;
  int64_t channels = 0;
  for (const std::vector<Item>& branch : item.branches) {
    current_ = start;
    sequence(branch);
    Shape shape = last().shape;
    const int axis = shape.rank() - 1;
    channels += shape[axis];
    const bool fits = ends.empty() || (shape.rank() == joined.rank() && (axis == 0 || shape[0] == joined[0]) &&
                                       (axis == 0 || shape[1] == joined[1]));
    if (!fits) {
      fail_item(item, fmt::format("its branches give {} and {}, which cannot be joined; height and width must agree",
                                  joined.to_string(), shape.to_string()));
    }
    joined = shape;
    ends.push_back(current_);
  }
  join(item, LayerKind::concat, joined.rank() == 1 ? Shape{channels} : Shape{joined[0], joined[1], channels}, ends);
}

Graph build_graph(const std::string& text, const Shape& input, int64_t classes, int64_t tokens) {
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
  if (tokens != 0 && (input.rank() != 1 || tokens < 2 || tokens > kMaxTokens)) {
    fail(Exit::usage, "net: no network for {} tokens in rows of {}; 2 to {} can be told apart", tokens,
         input.to_string(), with_commas(kMaxTokens));
  }
  return Builder(text, input, classes, tokens).build();
}

}  // namespace lepton
