// lepton-eval --importance: what a model makes of each column of a table.
#include <cmath>
#include <numeric>
#include <optional>

#include "cli/cli.h"
#include "cli/signals.h"
#include "data/recipe_table.h"
#include "io/rows.h"
#include "lepton-eval-model.h"
#include "metrics/ranking.h"
#include "predict/column_importance.h"
#include "push/reference.h"

namespace lepton {
namespace {

std::vector<ColumnGroup> groups_of(const Predictor& predictor, const std::string& name) {
  const auto* table = dynamic_cast<const TableRecipe*>(predictor.recipe.get());
  if (table == nullptr)
    fail(Exit::usage, "--importance is for tables; {} is a model of {}", name, predictor.model.task);
  std::vector<ColumnGroup> groups;
  for (const TableColumn& column : table->columns) {
    if (column.width == 0) continue;
    std::vector<int64_t> places(static_cast<size_t>(column.width));
    std::iota(places.begin(), places.end(), column.first);
    groups.push_back({column.name, std::move(places)});
  }
  return groups;
}

// Larger is better, so that a drop says that something was lost.
struct Metric {
  std::string name;
  std::function<double(std::span<const float>)> value;
};

Metric metric_of(const Predictor& predictor, const SplitData& split, const std::vector<int64_t>& samples,
                 std::vector<int32_t> truth, int32_t positive) {
  const auto classes = std::ssize(predictor.model.classes);
  if (predictor.regression()) {
    return {"rmse", [&predictor, &split, samples, classes](std::span<const float> outputs) {
              std::vector<float> values(outputs.begin(), outputs.end());
              predictor.to_units(values);
              double sum = 0, count = 0;
              for (size_t i = 0; i < values.size(); ++i) {
                const auto at = static_cast<size_t>(samples[i / static_cast<size_t>(classes)] * classes) +
                                i % static_cast<size_t>(classes);
                const auto error = static_cast<double>(values[i]) - static_cast<double>(split.targets()[at]);
                if (!std::isnan(error)) sum += error * error, ++count;
              }
              return -std::sqrt(sum / std::max(1.0, count));
            }};
  }
  if (positive >= 0) {
    return {"roc_auc", [truth = std::move(truth), classes, positive](std::span<const float> logits) {
              const auto area =
                  roc_auc(class_column(softmax(logits, classes), classes, positive), is_of_class(truth, positive));
              return area ? area->value : 0.5;
            }};
  }
  return {"accuracy", [truth = std::move(truth), classes](std::span<const float> logits) {
            return static_cast<double>(count_top(logits, truth, classes, 1)) / static_cast<double>(truth.size());
          }};
}

}  // namespace

std::string importance_text(const EvalCommand& command, const CommonOptions& common) {
  const std::string& path = command.operands[0];
  const Predictor predictor = Predictor::load(local_copy(path, stop_requested));
  const std::vector<ColumnGroup> groups = groups_of(predictor, path);
  const int32_t positive = predictor.regression() ? -1 : positive_class(predictor.model.classes, command.positive);
  std::deque<Dataset> datasets;
  const std::vector<Part> parts = open_parts(command, datasets);
  for (const Part& part : parts) check_samples(predictor, *part.dataset);
  const std::unique_ptr<Engine> engine = checked_engine(command, common, predictor, path);
  std::string text = "split\tmetric\tcolumn\tdrop\tlow\thigh\n";
  for (const Part& part : parts) {
    const SplitData& split = require_split(*part.dataset, part.which);
    const std::vector<int32_t> class_of = map_classes(predictor, *part.dataset);
    const std::vector<int64_t> samples = labelled(split);
    if (samples.empty()) fail(Exit::no_input, "{}: no sample of {} has a label", part.dataset->path(), part.name);
    std::vector<int32_t> truth = labels_of(split, samples);
    for (int32_t& label : truth) label = class_of[static_cast<size_t>(label)];
    const Metric metric = metric_of(predictor, split, samples, std::move(truth), positive);
    const ColumnImportanceOptions options{.batch = command.batch, .repeats = 5, .seed = common.seed};
    std::optional<double> whole;  // what is asked for first
    const auto measured = [&](std::span<const float> scores) {
      const double value = metric.value(scores);
      if (!whole) whole = value;
      return value;
    };
    for (const Importance& i : column_importance(*engine, predictor.graph, split, samples, groups, measured, options)) {
      text += tsv_row(std::vector<std::string>{part.name, metric.name, i.name, fmt::format("{:.6g}", i.drop.value),
                                               fmt::format("{:.6g}", i.drop.low), fmt::format("{:.6g}", i.drop.high)});
    }
    if (whole) note(fmt::format("{}: {} {:.6g} with all columns", part.name, metric.name, std::abs(*whole)));
  }
  return text;
}

}  // namespace lepton
