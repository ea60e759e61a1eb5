#include "lepton-eval-options.h"

#include <CLI/App.hpp>

namespace lepton {

void add_eval_options(CommandLine& line, EvalCommand& c) {
  CLI::App& app = line.app();
  app.add_option("MODEL.h5 DATA.h5[:split]", c.operands, "the model and datasets; -[:split] = stdin");
  const char* kInputs = "Labels instead of a model";
  app.add_option("--predictions", c.predictions, "answers of any tool: id, tab, label; or lepton-infer's JSON lines")
      ->type_name("FILE")
      ->group(kInputs);
  app.add_option("--truth", c.truth, "the right labels: id, tab, label; or a dataset")
      ->type_name("FILE")
      ->group(kInputs);
  app.add_flag("--regression", c.regression, "these labels are numbers: MAE, RMSE, R²")->group(kInputs);
  const char* kOutput = "Output";
  app.add_flag("--json", c.json, "metrics as {name: {value, low, high}}")->group(kOutput);
  app.add_flag("--per-class", c.per_class, "precision, recall and F1 of each class")->group(kOutput);
  app.add_flag("--confusion", c.confusion, "how often each class was taken for each")->group(kOutput);
  app.add_option("--worst", c.worst, "the N samples whose right label scored lowest")
      ->type_name("N")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000'000}))
      ->group(kOutput);
  app.add_option("--top", c.top, "also count a label among the K best as right (5)")
      ->type_name("K")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->group(kOutput);
  app.add_option("--curves", c.curves, "ROC, precision-recall and calibration curves as TSV; - = after the figures")
      ->type_name("FILE")
      ->group(kOutput);
  app.add_option("--plot", c.plot, "the curves and the confusion matrix, as .svg or .png (needs gnuplot)")
      ->type_name("FILE")
      ->group(kOutput);
  app.add_option("--plot-log", c.plot_log, "with --plot, also or alone: what lepton-train --log wrote")
      ->type_name("LOG.jsonl")
      ->group(kOutput);
  app.add_flag("--importance", c.importance, "of tables: what is lost when each column is shuffled, instead of metrics")
      ->group(kOutput);
  const char* kDecisions = "Decisions";
  app.add_option("--threshold", c.threshold, "label by this probability instead of the largest; model = the stored one")
      ->type_name("N|model")
      ->group(kDecisions);
  app.add_option("--threshold-for", c.threshold_for,
                 "choose a threshold: recall=R, precision=P, specificity=S or cost=FP:1,FN:5")
      ->type_name("RULE")
      ->group(kDecisions);
  app.add_flag("--calibrate", c.calibrate, "fit a temperature to the probabilities")->group(kDecisions);
  app.add_flag("--write", c.write, "store temperature, threshold or int8 ranges in the model")->group(kDecisions);
  app.add_option("--positive", c.positive, "of two classes the one to find: sensitivity, areas, thresholds")
      ->type_name("CLASS")
      ->group(kDecisions);
  app.add_option("--compare", c.compare, "another model on the same samples: McNemar's paired test")
      ->type_name("MODEL2.h5")
      ->group(kDecisions);
  const char* kGates = "Gates";
  app.add_option("--fail-under", c.fail_under, "status 9 if the metric is smaller; can be given several times")
      ->type_name("METRIC=V")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kGates);
  app.add_option("--fail-over", c.fail_over, "status 9 if the metric is larger")
      ->type_name("METRIC=V")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kGates);
  app.add_option("--max-drop", c.max_drop,
                 "status 9 if worse by more than V than the stored metric, or in int8 than fp32")
      ->type_name("[METRIC=]V")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kGates);
  const char* kHow = "How";
  app.add_flag("--tta", c.tta, "average over shifted and, if trained so, mirrored views")->group(kHow);
  app.add_option("--batch", c.batch, "samples computed together (128)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{65'536}))
      ->group(kHow);
  add_precision_option(line, c.precision, kHow);
}

}  // namespace lepton
