#pragma once
// What each layer costs: the data of `lepton-train --summary`.
#include <cstdint>
#include <string>
#include <vector>

#include "net/graph.h"

namespace lepton {

struct SummaryRow {
  std::string name;
  LayerKind kind;
  Shape shape;                   // of one sample's output
  int64_t parameters = 0;        // as Graph::parameter_count
  int64_t flops = 0;             // forward, one sample, as node_flops
  int64_t activation_bytes = 0;  // its output for a whole batch in fp32
};

struct Summary {
  std::vector<SummaryRow> rows;  // one a node, the input first
  int64_t parameters = 0, flops = 0, activation_bytes = 0;
};

Summary summarize(const Graph& graph, int64_t batch);

// A table for people: name, output shape, parameters, MFLOP an image, activations of a batch; totals last.
std::string summary_text(const Graph& graph, int64_t batch);

}  // namespace lepton
