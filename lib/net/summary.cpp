#include "net/summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace lepton {

Summary summarize(const Graph& graph, int64_t batch) {
  Summary summary;
  for (const Node& node : graph.nodes) {
    SummaryRow row;
    row.name = node.name;
    row.kind = node.kind;
    row.shape = node.shape;
    for (const Parameter& parameter : node.parameters) {
      if (parameter.role != Role::mean && parameter.role != Role::variance)
        row.parameters += parameter.shape.elements();
    }
    row.flops = node_flops(node);
    row.activation_bytes = node.shape.elements() * batch * static_cast<int64_t>(sizeof(float));
    summary.parameters += row.parameters;
    summary.flops += row.flops;
    summary.activation_bytes += row.activation_bytes;
    summary.rows.push_back(std::move(row));
  }
  return summary;
}

std::string summary_text(const Graph& graph, int64_t batch) {
  const Summary summary = summarize(graph, batch);
  size_t width = 5;
  for (const SummaryRow& row : summary.rows) width = std::max(width, row.name.size());
  const auto line = [width](const std::string& name, const std::string& shape, int64_t parameters, int64_t flops,
                            int64_t bytes) {
    return fmt::format("{:<{}}  {:>12}  {:>13}  {:>10.2f}  {:>12}\n", name, width, shape, with_commas(parameters),
                       static_cast<double>(flops) / 1e6, human_bytes(bytes));
  };
  std::string text = fmt::format("{:<{}}  {:>12}  {:>13}  {:>10}  {:>12}\n", "layer", width, "output", "parameters",
                                 "MFLOP", fmt::format("x{}", batch));
  for (const SummaryRow& row : summary.rows) {
    text += line(row.name, row.shape.to_string(), row.parameters, row.flops, row.activation_bytes);
  }
  return text + line("total", "", summary.parameters, summary.flops, summary.activation_bytes);
}

}  // namespace lepton
