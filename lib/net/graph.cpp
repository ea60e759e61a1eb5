#include "net/graph.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"

namespace lepton {

NodeId Graph::find(const std::string& name) const {
  std::vector<std::string> names;
  for (size_t id = 0; id < nodes.size(); ++id) {
    if (nodes[id].name == name) return static_cast<NodeId>(id);
    names.push_back(nodes[id].name);
  }
  const std::string near = nearest(name, names);
  std::string hint;
  if (near.empty()) {
    for (const std::string& each : names) hint += (hint.empty() ? "; there are " : ", ") + each;
  } else {
    hint = " (did you mean `" + near + "`?)";
  }
  fail(Exit::usage, "no layer `{}` in this network{}", name, hint);
}

int64_t Graph::parameter_count() const {
  int64_t count = 0;
  for (const Node& node : nodes) {
    for (const Parameter& parameter : node.parameters) {
      if (parameter.role != Role::mean && parameter.role != Role::variance) count += parameter.shape.elements();
    }
  }
  return count;
}

int64_t node_flops(const Node& node) {
  for (const Parameter& parameter : node.parameters) {
    if (parameter.role != Role::kernel) continue;
    const bool slides = node.kind == LayerKind::conv || node.kind == LayerKind::dwconv;
    const int64_t positions = slides ? node.shape[0] * node.shape[1] : 1;
    return 2 * parameter.shape.elements() * positions;
  }
  return 0;
}

int64_t Graph::forward_flops() const {
  int64_t flops = 0;
  for (const Node& node : nodes) flops += node_flops(node);
  return flops;
}

std::vector<ParameterRef> parameters_of(const Graph& graph) {
  NodeId last = -1;
  for (size_t id = 0; id < graph.nodes.size(); ++id) {
    for (const Parameter& parameter : graph.nodes[id].parameters) {
      if (parameter.role == Role::kernel) last = static_cast<NodeId>(id);
    }
  }
  std::vector<ParameterRef> refs;
  for (size_t id = 0; id < graph.nodes.size(); ++id) {
    const Node& node = graph.nodes[id];
    for (size_t index = 0; index < node.parameters.size(); ++index) {
      const Role role = node.parameters[index].role;
      const bool in_last = static_cast<NodeId>(id) == last;
      ParameterRef ref;
      ref.node = static_cast<NodeId>(id);
      ref.index = static_cast<int>(index);
      ref.name = node.name + "/" + role_name(role);
      ref.matrix = role == Role::kernel && !in_last && node.kind != LayerKind::dwconv;
      ref.head = in_last && (role == Role::kernel || role == Role::bias);
      refs.push_back(std::move(ref));
    }
  }
  return refs;
}

const char* kind_name(LayerKind kind) {
  switch (kind) {
    case LayerKind::input:
      return "input";
    case LayerKind::embed:
      return "embed";
    case LayerKind::conv:
      return "conv";
    case LayerKind::dwconv:
      return "dwconv";
    case LayerKind::dense:
      return "dense";
    case LayerKind::maxpool:
      return "maxpool";
    case LayerKind::avgpool:
      return "avgpool";
    case LayerKind::globalmax:
      return "globalmax";
    case LayerKind::globalavg:
      return "globalavg";
    case LayerKind::batchnorm:
      return "bn";
    case LayerKind::relu:
      return "relu";
    case LayerKind::gelu:
      return "gelu";
    case LayerKind::silu:
      return "silu";
    case LayerKind::dropout:
      return "dropout";
    case LayerKind::add:
      return "add";
    case LayerKind::concat:
      return "concat";
    case LayerKind::mask:
      return "mask";
    case LayerKind::flatten:
      return "flatten";
    case LayerKind::scale:
      return "scale";
  }
  fail(Exit::bug, "a layer kind without a name");
}

const char* role_name(Role role) {
  switch (role) {
    case Role::kernel:
      return "kernel";
    case Role::bias:
      return "bias";
    case Role::gamma:
      return "gamma";
    case Role::beta:
      return "beta";
    case Role::mean:
      return "mean";
    case Role::variance:
      return "variance";
    case Role::table:
      return "table";
  }
  fail(Exit::bug, "a parameter role without a name");
}

namespace {

nlohmann::ordered_json shape_json(const Shape& shape) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (int axis = 0; axis < shape.rank(); ++axis) json.push_back(shape[axis]);
  return json;
}

nlohmann::ordered_json attributes_json(const Node& node) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  const Attributes& a = node.attributes;
  switch (node.kind) {
    case LayerKind::conv:
    case LayerKind::dwconv:
      json["dilation"] = a.dilation;
      [[fallthrough]];
    case LayerKind::maxpool:
    case LayerKind::avgpool:
      json["kernel"] = {a.kernel_h, a.kernel_w};
      json["stride"] = {a.stride_h, a.stride_w};
      json["pad"] = {a.pad_top, a.pad_bottom, a.pad_left, a.pad_right};
      break;
    case LayerKind::batchnorm:
      json["epsilon"] = a.epsilon;
      json["keep"] = a.keep;
      break;
    case LayerKind::dropout:
      json["rate"] = a.rate;
      break;
    case LayerKind::scale:
      json["factor"] = a.factor;
      break;
    default:
      break;
  }
  return json;
}

}  // namespace

std::string graph_json(const Graph& graph) {
  nlohmann::ordered_json json;
  json["input"] = shape_json(graph.input);
  json["classes"] = graph.classes;
  if (graph.tokens > 0) json["tokens"] = graph.tokens;
  json["nodes"] = nlohmann::ordered_json::array();
  for (const Node& node : graph.nodes) {
    nlohmann::ordered_json entry;
    entry["name"] = node.name;
    entry["kind"] = kind_name(node.kind);
    entry["inputs"] = nlohmann::ordered_json::array();
    for (const NodeId input : node.inputs) entry["inputs"].push_back(graph.nodes[static_cast<size_t>(input)].name);
    entry["shape"] = shape_json(node.shape);
    const nlohmann::ordered_json attributes = attributes_json(node);
    if (!attributes.empty()) entry["attributes"] = attributes;
    if (node.token_stride > 0) entry["token_stride"] = node.token_stride;
    if (!node.parameters.empty()) {
      nlohmann::ordered_json parameters = nlohmann::ordered_json::object();
      for (const Parameter& parameter : node.parameters) {
        parameters[role_name(parameter.role)] = shape_json(parameter.shape);
      }
      entry["parameters"] = parameters;
    }
    json["nodes"].push_back(std::move(entry));
  }
  return json.dump(1);
}

}  // namespace lepton
