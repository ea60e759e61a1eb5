#pragma once
// What decides a training run's result: options of lepton-train and of presets, by their long names.
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "train/batches.h"
#include "train/schedule.h"

namespace lepton {

struct TrainOptions {
  std::string net;  // network text
  int64_t epochs = 20;
  double time_seconds = 0;  // > 0: the schedule is fitted to this time instead of to epochs
  std::string target;       // "accuracy=0.94" or "rmse=2": stop when validation reaches it
  int64_t batch = 128;
  OptimizerSpec optimizer;
  double lr = 0.1, bias_lr = 0, head_lr = 0;  // muon: matrices, vectors, last kernel; else lr for all
  double weight_decay = 0, bias_decay = 0, head_decay = 0;
  ScheduleSpec schedule;
  double label_smoothing = 0;
  bool sum_loss = false;
  AugmentSpec augment;
  bool flip_auto = false;             // flips join only if mirrored validation loses little
  std::string class_weight = "none";  // none | auto | NAME=W,NAME=W
  std::string val = "auto";           // auto | FRACTION | none
  int64_t window = LoaderOptions{}.window_bytes;
  bool best_by_loss = false;  // of two models the one of less validation loss, not of more accuracy
  int64_t patience = 0;       // epochs without a better model before stopping; 0 = never
  Precision precision = Precision::fp32;
  float loss_scale = 0;  // fp16: fixed, or 0 for one that adapts itself
  uint64_t seed = 0;
  std::string init;  // content hash of the model whose weights the run begins with; empty = none
};

// Sets one option from its text. Error(usage) names the option and what it accepts.
void apply_option(TrainOptions& options, const std::string& name, const std::string& value);
void apply_options(TrainOptions& options, std::span<const std::pair<std::string, std::string>> settings);

using Settings = std::vector<std::pair<std::string, std::string>>;

// Rates and decays that suit an optimizer on a network of which nothing else is known.
Settings optimizer_defaults(const std::string& optimizer);

// The recipe for networks written by the user, for samples of `shape` and `samples` of them: AdamW, one-cycle.
Settings general_recipe(const Shape& shape, int64_t samples);

// Decays that were set for the recipe's batch and rates and that the user did not set, for those now in force. The
// decay of a step is rate x decay, and stays the same for each sample: decay = the recipe's x batch / rate, both
// relative to the recipe's. For speed94 that is its author's 2e-6 x batch / rate (Jordan 2024).
void scale_decays(TrainOptions& options, const TrainOptions& recipe, bool bias_given, bool head_given);

// --augment: auto | none | "shift=2,flip=random,cutout=8,brightness=0.1,contrast=0.1"; auto leaves the preset's numbers
// and lets the data decide on flips.
void apply_augment(TrainOptions& options, const std::string& value);
// Error(usage) for variations that samples of this shape do not have: of `asked` (--augment as given, "" = not) by
// name, of a preset by value. Only images are mirrored.
void check_augment(TrainOptions& options, const Shape& sample, const std::string& asked);

// "90", "90s", "30m", "1.5h" in seconds.
double parse_duration(const std::string& option, const std::string& text);

// Every option that changes the result, as JSON with a fixed order: for provenance, and to compare on --resume.
std::string options_json(const TrainOptions& options);

}  // namespace lepton
