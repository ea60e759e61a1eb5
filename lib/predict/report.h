#pragma once
// Evaluations as tables for people, TSV for programs, and JSON; gates on them.
#include <span>
#include <string>
#include <vector>

#include "predict/evaluate.h"

namespace lepton {

struct ReportStyle {
  bool aligned = false;  // tables for a terminal instead of TSV
  bool per_class = false, confusion = false, worst = false;
};

// The summary, then what is asked for; sections are parted by an empty line, each with a header line.
std::string report_text(std::span<const Evaluation> evaluations, const ReportStyle& style);

// {metric: {value, low, high}} with samples, per_class, confusion and worst beside them; of several evaluations an
// object of such objects by name. One line.
std::string report_json(std::span<const Evaluation> evaluations, const ReportStyle& style);

enum class GateKind {
  under,
  over,
  drop
};  // fails when below, above, or worse than the stored value by more than bound
struct Gate {
  GateKind kind;
  std::string metric;
  double bound;
};
// "accuracy=0.9"; Error(usage) names option, what is wrong and which metrics there are. For drop, "0.01" means
// accuracy.
Gate parse_gate(GateKind kind, const std::string& option, const std::string& text);

// What a gate has against an evaluation, with value and bound; "" if it holds. stored_metrics: JSON of the model, for
// drop: compared with the same split or with val. Error(usage) for a metric this evaluation lacks, Error(mismatch) if
// the model stores none. exact: for drop, the evaluation to compare with instead, the same samples in fp32.
std::string gate_violation(const Gate& gate, const Evaluation& evaluation, const std::string& stored_metrics,
                           const Evaluation* exact = nullptr);

}  // namespace lepton
