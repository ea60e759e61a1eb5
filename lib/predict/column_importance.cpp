#include "predict/column_importance.h"

#include <algorithm>

#include "base/error.h"
#include "io/rows.h"

namespace lepton {

std::vector<float> score_rows(Engine& engine, const Graph& graph, std::span<const float> rows, int64_t batch) {
  const auto width = static_cast<size_t>(graph.input.elements());
  const auto outputs = static_cast<size_t>(graph.nodes[static_cast<size_t>(graph.output())].shape.elements());
  const size_t n = rows.size() / width;
  std::vector<float> scores(n * outputs);
  for (size_t begin = 0; begin < n; begin += static_cast<size_t>(batch)) {
    const size_t count = std::min(static_cast<size_t>(batch), n - begin);
    Batch b;
    b.n = static_cast<int64_t>(count);
    b.rows = rows.subspan(begin * width, count * width);
    engine.infer(b, graph.output(), std::span(scores).subspan(begin * outputs, count * outputs));
  }
  return scores;
}

std::vector<Importance> column_importance(Engine& engine, const Graph& graph, const SplitData& split,
                                          std::span<const int64_t> samples, std::span<const ColumnGroup> groups,
                                          const std::function<double(std::span<const float>)>& metric,
                                          const ColumnImportanceOptions& options) {
  const int64_t width = split.sample_shape().elements();
  if (split.type() != ElementType::f32) fail(Exit::mismatch, "--importance: needs samples that are rows of numbers");
  for (const ColumnGroup& group : groups) {
    for (const int64_t c : group.columns) {
      if (c < 0 || c >= width) fail(Exit::mismatch, "--importance: {}: no column {} in {}", group.name, c, width);
    }
  }
  const auto row = static_cast<size_t>(width);
  std::vector<float> x(samples.size() * row);
  for (size_t i = 0; i < samples.size(); ++i) {
    const std::span<float> to = std::span(x).subspan(i * row, row);
    split.read(samples[i], 1, {reinterpret_cast<uint8_t*>(to.data()), to.size_bytes()});
  }
  return permutation_importance(
      x, width, groups,
      [&](std::span<const float> changed) { return metric(score_rows(engine, graph, changed, options.batch)); },
      options.repeats, options.seed);
}

std::string importance_tsv(std::span<const Importance> importance) {
  std::string text = tsv_row(std::vector<std::string>{"column", "drop", "low", "high"});
  for (const Importance& i : importance) {
    text += tsv_row(std::vector<std::string>{i.name, significant(i.drop.value, 6), significant(i.drop.low, 6),
                                             significant(i.drop.high, 6)});
  }
  return text;
}

}  // namespace lepton
