#pragma once
// A network as plain data: nodes in topological order with attributes, inferred shapes and named parameters.
#include <cstdint>
#include <string>
#include <vector>

#include "base/shape.h"

namespace lepton {

using NodeId = int32_t;

enum class LayerKind {
  input,
  embed,
  conv,
  dwconv,
  dense,
  maxpool,
  avgpool,
  globalmax,
  globalavg,
  batchnorm,
  relu,
  gelu,
  silu,
  dropout,
  add,
  concat,
  mask,
  flatten,
  scale
};

enum class Role { kernel, bias, gamma, beta, mean, variance, table };
enum class Init { he, torch, dirac, unit, whiten, zero, one, normal, uniform };  // lepton-nets(5) says what each means

struct Parameter {
  Role role;
  Shape shape;  // kernel HWIO (conv; dwconv: I = 1) or IO (dense), table [tokens, D]; others {C}
  Init init;
  bool trainable = true;  // false: frozen, or a running statistic
  float lr_scale = 1;     // multiplies the learning rate
  float epochs = 0;       // trained only this long, its rate falling linearly to 0; 0 = all the time
};

// One flat record for all kinds; lepton-nets(5) says which fields a kind reads.
struct Attributes {
  int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1;    // conv, pools
  int64_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;  // conv: zeros; avgpool: not counted
  int64_t dilation = 1;
  float rate = 0;         // dropout: the share dropped
  float factor = 1;       // scale
  float epsilon = 1e-5F;  // batchnorm
  float keep = 0.9F;      // batchnorm: share of the old running statistic kept each step
};

struct Node {
  LayerKind kind;
  std::string name;            // "conv1": kind and count in order of appearance; unique
  std::vector<NodeId> inputs;  // all smaller than this node's own id
  Attributes attributes;
  Shape shape;  // of one sample's output: {H,W,C} or {D}; global pools and dense give {D}, dense reads {D}; a sequence
                // of T positions is {T,1,C}
  std::vector<Parameter> parameters;
  int64_t token_stride = 0;  // of a sequence made of tokens: tokens from one position to the next; 0: of none
};

struct Graph {
  std::string text;         // the network as the user wrote it, verbatim
  std::vector<Node> nodes;  // nodes[0] is the input, nodes.back() the logits {classes}
  Shape input;              // of a sample as it is stored
  int64_t classes = 0;
  int64_t tokens = 0;  // distinct token numbers, padding included; 0: samples are no tokens

  NodeId output() const { return static_cast<NodeId>(nodes.size()) - 1; }
  NodeId find(const std::string& name) const;  // throws Error(usage) with the nearest name
  int64_t parameter_count() const;             // trained and frozen, without running statistics
  int64_t forward_flops() const;               // of one sample: the sum of node_flops
};

// Multiplications and additions of one sample's forward pass in convolutions and dense layers, two for each weight
// used; what is linear in the size of a map (activations, pools, norms, biases) is not counted. 0 for other kinds.
int64_t node_flops(const Node& node);

// One parameter of a graph as engines and optimisers see it, in the fixed order nodes × parameters.
struct ParameterRef {
  NodeId node;
  int index;         // into nodes[node].parameters
  std::string name;  // "conv1/kernel"
  bool matrix;       // a kernel that Muon orthogonalises: all but the last node's that has one, and dwconv's
  bool head;         // kernel or bias of the last layer with a kernel
};
std::vector<ParameterRef> parameters_of(const Graph& graph);

const char* kind_name(LayerKind kind);
const char* role_name(Role role);

// Builds the graph of a network text for samples of `input` and `classes` classes. The word `classes` in the text
// stands for that number. Frames {T,F} become a sequence {T,1,F}, or a map {T,F,1} where the first window is written
// KxK. A dense layer behind a map gets a flatten node before it; a residual block ends in an add node of (block, way
// around), a parallel one in a concat node of its branches. Errors (usage) name line, layer and what is accepted
// instead. lepton-nets(5).
//
// tokens > 0: samples {L} are numbers in [0, tokens), 0 being the padding at their end, and the first layer is `embed`,
// which makes a sequence {L,1,D} of them. Padding never counts: what is behind a text's length is 0 before a layer
// looks at several positions (a mask node sees to it), and global pools and batch-norm leave it out.
Graph build_graph(const std::string& text, const Shape& input, int64_t classes, int64_t tokens = 0);

// The expanded graph with shapes, as JSON (model file's /graph).
std::string graph_json(const Graph& graph);

}  // namespace lepton
