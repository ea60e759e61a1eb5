#pragma once
// What a model makes of each column of a table.
#include <string>
#include <vector>

#include "metrics/importance.h"
#include "predict/scoring.h"

namespace lepton {

// Scores of rows f32 [n, D] kept in memory, [n, outputs]: values of the graph's output, `batch` rows at a time.
std::vector<float> score_rows(Engine& engine, const Graph& graph, std::span<const float> rows, int64_t batch);

struct ColumnImportanceOptions {
  int64_t batch = 128, repeats = 5;
  uint64_t seed = 0;
};
// permutation_importance over `samples` (indices) of a split of f32 rows; metric is told the scores of all samples and
// is larger where they are better. Error(mismatch) for samples of another type, or a column outside the row.
std::vector<Importance> column_importance(Engine& engine, const Graph& graph, const SplitData& split,
                                          std::span<const int64_t> samples, std::span<const ColumnGroup> groups,
                                          const std::function<double(std::span<const float>)>& metric,
                                          const ColumnImportanceOptions& options);

// Columns column, drop, low, high, with a header line, in the order given.
std::string importance_tsv(std::span<const Importance> importance);

}  // namespace lepton
