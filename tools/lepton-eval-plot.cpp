#include "lepton-eval-plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/cli.h"
#include "io/rows.h"
#include "plot/figure.h"
#include "predict/answer_file.h"

namespace lepton {
namespace {

constexpr size_t kMostLines = 7;  // of a panel: the colours there are

// One class against the rest on one split.
struct OneClass {
  std::string split, name;
  std::vector<double> scores;
  std::vector<uint8_t> positive;
};

OneClass one_class(const ModelEvaluation& found, const ScoredSplit& split, std::span<const float> probabilities,
                   int32_t c) {
  const auto classes = std::ssize(found.classes);
  return {split.name, found.classes[static_cast<size_t>(c)],
          classes == 2 ? fine_class_column(split.logits, found.decision.temperature, c)
                       : class_column(probabilities, classes, c),
          is_of_class(split.truth, c)};
}

std::vector<float> probabilities_of(const ModelEvaluation& found, const ScoredSplit& split) {
  return softmax(split.logits, std::ssize(found.classes), found.decision.temperature);
}

// The classes whose curves tell all: of two the positive one.
std::vector<int32_t> classes_of(const ModelEvaluation& found) {
  if (found.decision.positive >= 0) return {found.decision.positive};
  std::vector<int32_t> all(found.classes.size());
  for (size_t c = 0; c < all.size(); ++c) all[c] = static_cast<int32_t>(c);
  return all;
}

void add_rows(std::string& text, const OneClass& one, const char* curve, const std::vector<CurvePoint>& points) {
  for (const CurvePoint& p : points) {
    text += tsv_row(std::vector<std::string>{one.split, one.name, curve, significant(p.x, 6), significant(p.y, 6),
                                             significant(p.threshold, 9), ""});
  }
}

// Every class of every sample as one question, for pictures that cannot show each class.
OneClass pooled(const ModelEvaluation& found, const ScoredSplit& split, std::span<const float> probabilities) {
  OneClass all{split.name, "all classes", {probabilities.begin(), probabilities.end()}, {}};
  all.positive.resize(probabilities.size());
  for (size_t i = 0; i < split.truth.size(); ++i) {
    all.positive[i * found.classes.size() + static_cast<size_t>(split.truth[i])] = 1;
  }
  return all;
}

std::vector<std::pair<double, double>> xy(const std::vector<CurvePoint>& points) {
  std::vector<std::pair<double, double>> line;
  line.reserve(points.size());
  for (const CurvePoint& p : points) line.emplace_back(p.x, p.y);
  return line;
}

Series calibration_line(const std::string& name, const std::vector<CalibrationBin>& bins) {
  Series line{name, {}, {}};
  for (const CalibrationBin& b : bins) {
    line.points.emplace_back(b.confidence, b.share.value);
    line.intervals.emplace_back(b.share.low, b.share.high);
  }
  return line;
}

// Of several classes: how sure the answers are and how often right.
Series confidence_line(const std::string& name, const ScoredSplit& split, std::span<const float> probabilities,
                       size_t classes) {
  std::vector<double> confidence;
  std::vector<uint8_t> right;
  for (size_t i = 0; i < split.truth.size(); ++i) {
    const auto row = probabilities.subspan(i * classes, classes);
    const auto best = std::max_element(row.begin(), row.end());
    confidence.push_back(static_cast<double>(*best));
    right.push_back(best - row.begin() == split.truth[i]);
  }
  return calibration_line(name, calibration_bins(confidence, right));
}

Matrix matrix_of(const Evaluation& e) {
  Matrix m{e.classes, e.classes, e.confusion};
  if (e.columns > std::ssize(e.classes)) m.columns.emplace_back("(none)");
  return m;
}

std::vector<Panel> panels_of(const ModelEvaluation& found) {
  if (found.splits.empty()) return {};
  const bool binary = found.decision.positive >= 0;
  const std::string positive = binary ? found.classes[static_cast<size_t>(found.decision.positive)] : "";
  const auto panel = [](const std::string& title, const char* x, const char* y) {
    Panel p;
    p.title = title;
    p.x_label = x;
    p.y_label = y;
    p.x_range = {0, 1};
    p.y_range = {0, 1.02};
    p.diagonal = true;
    p.legend = Panel::Legend::bottom;
    return p;
  };
  Panel roc = panel("ROC" + (binary ? ", " + positive : ""), "1 - specificity", "sensitivity");
  Panel pr = panel("Precision and recall" + (binary ? ", " + positive : ""), "recall", "precision");
  Panel calibration = panel("Calibration", binary ? "probability stated" : "probability of the answer",
                            binary ? "share found" : "share right");
  pr.diagonal = false;
  for (const ScoredSplit& split : found.splits) {
    const std::vector<float> probabilities = probabilities_of(found, split);
    std::vector<OneClass> lines;
    const std::vector<int32_t> classes = classes_of(found);
    if (classes.size() > kMostLines || (found.splits.size() > 1 && !binary)) {
      lines.push_back(pooled(found, split, probabilities));
    } else {
      for (const int32_t c : classes) lines.push_back(one_class(found, split, probabilities, c));
    }
    for (const OneClass& one : lines) {
      const std::string name = binary || found.splits.size() > 1 ? one.split : one.name;
      const auto area = roc_auc(one.scores, one.positive), average = average_precision(one.scores, one.positive);
      if (area) {
        roc.series.push_back(
            {fmt::format("{}, area {:.3f}", name, area->value), xy(roc_curve(one.scores, one.positive)), {}});
      }
      if (average) {
        pr.series.push_back({fmt::format("{}, average {:.3f}", name, average->value),
                             xy(precision_recall_curve(one.scores, one.positive)),
                             {}});
      }
    }
    calibration.series.push_back(
        binary ? calibration_line(split.name, calibration_bins(lines[0].scores, lines[0].positive))
               : confidence_line(split.name, split, probabilities, found.classes.size()));
  }
  calibration.legend = Panel::Legend::above;
  Panel confusion;
  confusion.title = "Confusion, " + found.evaluations[0].name;
  confusion.x_label = "answer";
  confusion.y_label = "truth";
  confusion.matrix = matrix_of(found.evaluations[0]);
  return {roc, pr, calibration, confusion};
}

// lepton-train's log: an object a line.
std::vector<Panel> log_panels(const std::string& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  Series train_loss{"train", {}, {}}, val_loss{"val", {}, {}}, train{"train", {}, {}}, val{"val", {}, {}};
  int64_t number = 0;
  for (const std::string& line : split(std::string(bytes.begin(), bytes.end()), '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("epoch") || !json["epoch"].is_number()) {
      fail(Exit::mismatch, "{}:{}: expected an object with epoch, as lepton-train --log writes it", path, number);
    }
    const double epoch = json["epoch"].get<double>();
    const auto put = [&](Series& series, const char* key) {
      const auto it = json.find(key);
      if (it != json.end() && it->is_number()) series.points.emplace_back(epoch, it->get<double>());
    };
    put(train_loss, "train_loss");
    put(val_loss, "val_loss");
    put(train, "train_accuracy");
    put(val, "val_accuracy");
  }
  if (train_loss.points.empty() && val_loss.points.empty()) fail(Exit::no_input, "{}: no epoch in it", path);
  Panel loss, accuracy;
  loss.title = "Loss while training";
  accuracy.title = "Accuracy while training";
  loss.x_label = accuracy.x_label = "epoch";
  loss.y_label = "loss";
  accuracy.y_label = "accuracy";
  loss.log_y = true;
  accuracy.legend = Panel::Legend::bottom;
  loss.series = {train_loss, val_loss};
  accuracy.series = {train, val};
  return {loss, accuracy};
}

}  // namespace

void check_plots(const EvalCommand& command) {
  if (!command.plot.empty()) {
    if (!plot_format(command.plot))
      fail(Exit::usage, "--plot {}: expected a name that ends in .svg or .png", command.plot);
    require_gnuplot();
    const AtomicFile probe(command.plot);
  }
  if (!command.curves.empty() && command.curves != "-") const AtomicFile probe(command.curves);
}

void write_curves(const EvalCommand& command, const ModelEvaluation& found) {
  std::string text = tsv_row(std::vector<std::string>{"split", "class", "curve", "x", "y", "threshold", "samples"});
  for (const ScoredSplit& split : found.splits) {
    const std::vector<float> probabilities = probabilities_of(found, split);
    for (const int32_t c : classes_of(found)) {
      const OneClass one = one_class(found, split, probabilities, c);
      add_rows(text, one, "roc", roc_curve(one.scores, one.positive));
      add_rows(text, one, "precision_recall", precision_recall_curve(one.scores, one.positive));
      for (const CalibrationBin& b : calibration_bins(one.scores, one.positive)) {
        text += tsv_row(std::vector<std::string>{one.split, one.name, "calibration", significant(b.confidence, 6),
                                                 significant(b.share.value, 6), significant(b.low, 6),
                                                 std::to_string(b.samples)});
      }
    }
  }
  if (command.curves == "-") return print("\n" + text);
  LineFile file(command.curves);
  file.write(text);
  file.finish();
}

void write_plots(const EvalCommand& command, const ModelEvaluation& found) {
  std::vector<Panel> panels = panels_of(found);
  if (!command.plot_log.empty()) {
    for (Panel& panel : log_panels(command.plot_log)) panels.push_back(std::move(panel));
  }
  draw(panels, command.plot);
}

}  // namespace lepton
