#pragma once
// The curves and charts of lepton-eval.
#include "lepton-eval-model.h"

namespace lepton {

// --curves: split, class, curve, x, y, threshold, samples; "-" prints it.
void write_curves(const EvalCommand& command, const ModelEvaluation& found);
// --plot: of the splits evaluated, if any, and of --plot-log.
void write_plots(const EvalCommand& command, const ModelEvaluation& found);
// Whether --curves and --plot can be written and drawn, asked before the long work.
void check_plots(const EvalCommand& command);

}  // namespace lepton
