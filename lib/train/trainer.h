#pragma once
// The training loop: steps, validation, the best model, checkpoints.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/model.h"
#include "engine/engine.h"
#include "train/options.h"

namespace lepton {

// One epoch, as logged: one JSON object a line, keys documented in lepton-train(1).
struct EpochRecord {
  int64_t epoch = 0;      // counted from 1
  double train_loss = 0;  // regression: squared error, in squared standard deviations of the targets
  std::optional<double> train_accuracy, val_loss, val_accuracy;
  std::optional<double> val_rmse;  // regression; in the target's units, of several targets in standard deviations
  double lr = 0;                   // at the epoch's last step
  double seconds = 0, images_per_second = 0;
  bool best = false;
  std::string note;  // what was decided, such as on mirroring
  std::string json() const;
};

// What the loop asks of and tells its caller.
struct TrainHooks {
  std::function<void(const std::string& log)> on_start = [](auto&) {};  // the log of epochs done before, if any
  std::function<void(const EpochRecord&)> on_epoch = [](const EpochRecord&) {};
  std::function<void(int64_t epoch, int64_t step, int64_t steps, double loss)> on_step = [](auto, auto, auto, auto) {};
  std::function<void(const std::string&)> explain = [](const std::string&) {};  // decisions, for -v
  std::function<void(const std::string&)> warn = [](const std::string&) {};     // what everybody should know
  std::function<bool()> stop = [] { return false; };                            // checked after every step
  std::function<bool()> checkpoint_now = [] { return false; };
};

struct TrainSetup {
  TrainOptions options;
  std::string device = "auto";
  int threads = 0;
  int64_t memory_limit = 0;        // bytes on a GPU, for all engines together; 0 = all there are
  std::string checkpoint;          // where checkpoints go; empty = none
  double checkpoint_seconds = 60;  // time between checkpoints; 0: one after every epoch
  bool resume = false;             // go on from the checkpoint if there is one
  const Model* initial = nullptr;  // begin with its weights; its last layer only if the classes are the same
  std::string version;             // of the program, for the model's provenance
  // How engines are made.
  std::function<std::unique_ptr<Engine>(const Graph&, std::string_view device, const EngineOptions&)> compile =
      [](const Graph& graph, std::string_view where, const EngineOptions& o) {
        return lepton::compile(graph, where, o);
      };
};

// nullopt: stopped by hooks.stop, a checkpoint was written. Errors: failed (1) when the loss is not finite, naming the
// step, with the best model so far left in the checkpoint's place, or when nothing was learned; mismatch (7) when the
// checkpoint or the initial model does not belong to this run; no_input (4) without labelled training samples of two
// classes.
std::optional<Model> train(const Dataset& data, const TrainSetup& setup, const TrainHooks& hooks);

// The samples held out for validation where the data has no val split, and the rest; both sorted. A stable choice: of
// each class those whose content hash is smallest, equal contents together.
struct HeldOut {
  std::vector<int64_t> train, val;
};
HeldOut hold_out(const SplitData& split, std::span<const int64_t> samples, int64_t classes, const std::string& val);

// Weights of the classes' losses: "none" (empty), "auto" (inverse frequency, mean 1 over samples), "NAME=W,...".
std::vector<float> class_weights(const std::string& spec, const std::vector<std::string>& classes,
                                 const SplitData& split, std::span<const int64_t> samples);

// The parameters a run begins with: initial values, or those of `initial` (nullptr = none), whose last layer is taken
// over only if its classes are `classes`. mismatch (7) names the first tensor that does not fit.
ParameterSet starting_parameters(const Graph& graph, uint64_t seed, const Model* initial,
                                 const std::vector<std::string>& classes);

// Whether the graph has kernels that set_whitening fills.
bool wants_whitening(const Graph& graph);

// Learning rate and decay of every parameter at a step. progress in [0,1] of the run.
struct Rates {
  std::vector<float> rates, decays;
};
Rates rates_at(const Graph& graph, const TrainOptions& options, double progress, double epochs_done);

}  // namespace lepton
