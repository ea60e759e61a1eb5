// What a run leaves: checkpoints, the model, and the verdict that nothing was learned.
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "metrics/metrics.h"
#include "predict/predictor.h"
#include "train/run.h"
#include "train/verdict.h"

namespace lepton {

void Run::save_checkpoint() {
  checkpointed_ = Clock::now();
  if (setup_.checkpoint.empty()) return;
  Checkpoint c{state_, engine_->save(), best_, options_json(options_), options_.net, data_.content_sha256(), log_};
  c.state.seconds = elapsed();
  write_checkpoint(setup_.checkpoint, c, data_.meta(), graph_);
}

void Run::restore(const Checkpoint& c) {
  if (c.dataset != data_.content_sha256()) {
    fail(Exit::mismatch, "{}: belongs to another dataset; remove it or give another --checkpoint", setup_.checkpoint);
  }
  if (c.options != options_json(options_) || c.net != options_.net) {
    fail(Exit::mismatch, "{}: was written with other options ({}); give those, or remove it to start afresh",
         setup_.checkpoint, c.options);
  }
  engine_->load(c.parameters);
  // In the graph's order, which the file's need not be: the model's bytes follow it.
  for (const ParameterRef& ref : parameters_of(graph_)) {
    if (!c.best.tensors.empty()) best_.tensors.push_back(c.best.at(ref.name));
  }
  state_ = c.state;
  log_ = c.log;
}

// Ends the run. What it found before is worth keeping, but a state that leads here is not worth resuming.
void Run::diverged(const std::string& where) {
  std::string kept;
  if (!best_.tensors.empty() && !setup_.checkpoint.empty()) {
    Model model = finished_model();
    write_model(setup_.checkpoint, model);
    kept = fmt::format("; the best model before is in {}", setup_.checkpoint);
  }
  fail(Exit::failed, "{} is not finite; lower --lr ({} now), or bound gradients with --clip 1{}", where, options_.lr,
       kept);
}

void Run::require_learned_numbers() {
  if (state_.epoch * loader_->steps_per_epoch() < kUpdatesToJudge) return;
  judge_->load(best_);
  if (!answers_alike(*judge_, graph_, *train_split_, train_samples_, judge_batch_)) return;
  std::error_code ignored;
  if (!setup_.checkpoint.empty()) std::filesystem::remove(setup_.checkpoint, ignored);  // would only lead here again
  fail(Exit::failed, "nothing was learned: every sample gets the same number. Try another --lr ({} now) or --net",
       options_.lr);
}

// Both kinds of samples must agree: a few validation samples may all look alike, and a model that knows its training
// samples by heart has learned something, if not what was wanted.
void Run::require_learned() {
  if (regression()) return require_learned_numbers();
  const int64_t updates = (state_.epoch - 1) * loader_->steps_per_epoch() + state_.trained / loader_->largest_batch();
  const bool whole_epoch = state_.epoch > 1 || state_.trained >= std::ssize(train_samples_);
  const double judged_accuracy = val_samples_.empty() ? state_.train_accuracy : state_.best_accuracy;
  if (updates < kUpdatesToJudge || !whole_epoch || judged_accuracy > majority_) return;
  judge_->load(best_);
  if (!val_samples_.empty() && !learned_nothing(*judge_, graph_, *val_split_, val_samples_, judge_batch_)) return;
  if (!learned_nothing(*judge_, graph_, *train_split_, train_samples_, judge_batch_)) return;
  std::error_code ignored;
  if (!setup_.checkpoint.empty()) std::filesystem::remove(setup_.checkpoint, ignored);  // would only lead here again
  fail(
      Exit::failed,
      "nothing was learned in {} steps: every sample gets the same answer, and the scores are no better than guessing. "
      "Try another --lr ({} now) or --net, and see whether the labels are right",
      updates, options_.lr);
}

Model Run::finished_model() {
  Model model;
  const DatasetMeta& meta = data_.meta();
  model.task = meta.task;
  model.net = options_.net;
  model.graph = graph_json(graph_);
  model.input = graph_.input;
  model.weights = best_;
  model.classes = meta.classes;
  model.mean = meta.mean;
  model.std = meta.std;
  model.target_mean = meta.target_mean;
  model.target_std = meta.target_std;
  model.recipe = meta.recipe;
  model.parts = meta.parts;
  model.metrics = metrics_json(state_, meta, std::ssize(val_samples_));
  nlohmann::ordered_json provenance;
  provenance["lepton"] = setup_.version;
  provenance["options"] = nlohmann::ordered_json::parse(options_json(options_));
  provenance["mirrored"] =
      state_.mirror == static_cast<int>(Mirror::harmless) || options_.augment.flip != AugmentSpec::Flip::none;
  provenance["dataset"] = data_.content_sha256();
  model.provenance = provenance.dump();
  judge_->load(model.weights);
  add_selftest(model, *judge_, graph_, train_split_->type(), graph_.tokens);
  return model;
}

}  // namespace lepton
