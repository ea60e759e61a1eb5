#pragma once
// The state of one build_graph call: the graph so far and the node that the next layer reads.
#include <map>
#include <string>
#include <vector>

#include "net/graph.h"
#include "net/parse.h"

namespace lepton {

class Builder {
 public:
  Builder(const std::string& text, const Shape& input, int64_t classes, int64_t tokens);
  Graph build();

 private:
  const Node& last() const { return at(current_); }
  const Node& at(NodeId id) const { return graph_.nodes[static_cast<size_t>(id)]; }

  // build.cpp: the walk over the text, nodes and their parameters, blocks.
  void read_input(const std::vector<Item>& items);
  void sequence(const std::vector<Item>& items);
  void layer(const std::vector<Item>& items, size_t i);
  // Appends a node that reads the current one and becomes it. `word` names it, as "conv3".
  Node& append(const Item& item, LayerKind kind, const std::string& word, const Shape& shape);
  // The same for a node that reads `inputs`.
  Node& join(const Item& item, LayerKind kind, const Shape& shape, const std::vector<NodeId>& inputs);
  // Sees to it that padding is 0 in the current node, for a layer that mixes positions.
  void masked(const Item& item);
  void parameter(const Item& item, Role role, const Shape& shape, Init init, bool trainable = true);
  void bias(const Item& item, int64_t channels, Init kernel_init);
  const Shape& map_of(const Item& item) const;
  void residual(const Item& item);
  NodeId projection(const Item& item, NodeId start, NodeId end);
  void parallel(const Item& item);

  // build_layers.cpp: one function a layer. norm: a batch-norm right behind takes any constant off again.
  void embed(const Item& item);
  void conv(const Item& item, bool norm);
  void slide(const Attributes& a);  // the current node's windows move over positions so
  void dwconv(const Item& item, bool norm);
  void conv_node(const Item& item, const char* word, const Attributes& a, const Shape& out, Init init);
  Shape window(const Item& item, const std::string& text, int64_t channels, Attributes& a) const;
  void padding(const Item& item, const Shape& in, int64_t reach_h, int64_t reach_w, Attributes& a) const;
  void whiten(const Item& item);
  void dense(const Item& item, bool norm);
  void pool(const Item& item, LayerKind kind);
  void globalpool(const Item& item);
  void batchnorm(const Item& item);
  void plain(const Item& item, LayerKind kind);
  void dropout(const Item& item);
  void flatten(const Item& item);
  void scale(const Item& item);

  Graph graph_;
  NodeId current_ = 0;       // that the next layer reads
  bool upright_ = false;     // the samples are sequences {T,1,C}: a window's plain number is over time alone
  std::vector<bool> clean_;  // of each node: padding is 0 in it
  std::map<std::string, int> counts_;
  int64_t total_ = 0;
  double flops_ = 0;
};

}  // namespace lepton
