#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/recipe.h"
#include "metrics/metrics.h"
#include "net/parameters.h"
#include "predict/predictor.h"
#include "predict/scoring.h"
#include "train/checkpoint.h"
#include "train/numbers.h"
#include "train/verdict.h"

namespace lepton {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

// Mirroring joins where it costs at most a tenth of the accuracy, judged once the model knows something: above the
// majority's share by a fifth of what is left.
enum class Mirror { undecided, harmless, harmful };
Mirror judge_mirror(double plain, double mirrored, double majority) {
  if (plain < majority + 0.2 * (1 - majority)) return Mirror::undecided;
  return mirrored >= 0.9 * plain ? Mirror::harmless : Mirror::harmful;
}

class Run {
 public:
  Run(const Dataset& data, const TrainSetup& setup, const TrainHooks& hooks);
  std::optional<Model> operator()();

 private:
  struct Score {
    double loss = 0, accuracy = 0, mirrored = 0;  // regression: the loss alone
  };
  void choose_samples();
  void compile_engines();
  bool run_epoch();  // false: stopped
  void end_epoch();
  double progress() const;
  bool regression() const { return is_regression(data_.meta()); }
  Score validate(bool mirrored);
  void save_checkpoint();
  void restore(const Checkpoint& checkpoint);
  void whiten(ParameterSet& parameters);
  Model finished_model();
  void require_learned();
  void require_learned_numbers();
  [[noreturn]] void diverged(const std::string& where);
  double elapsed() const { return state_.seconds + seconds_since(begun_); }
  bool better(const Score& score) const;

  const Dataset& data_;
  const TrainSetup& setup_;
  const TrainHooks& hooks_;
  TrainOptions options_;
  const SplitData* train_split_;
  const SplitData* val_split_ = nullptr;
  std::vector<int64_t> train_samples_, val_samples_;
  std::vector<int32_t> val_labels_;  // of val_samples_
  double majority_ = 0;              // share of the most frequent class where the run is judged
  Graph graph_;
  std::unique_ptr<Engine> engine_, judge_;  // the one that learns, the one that validates
  std::unique_ptr<BatchLoader> loader_;
  int64_t judge_batch_ = 1;
  Clock::time_point begun_ = Clock::now(), checkpointed_ = Clock::now(), epoch_begun_;
  ParameterSet best_;  // the answer so far: by validation, or the last epoch's without one
  TrainState state_;   // state_.seconds: those before begun_
  std::string log_;
};

Run::Run(const Dataset& data, const TrainSetup& setup, const TrainHooks& hooks)
    : data_(data), setup_(setup), hooks_(hooks), options_(setup.options), train_split_(data.split(Split::train)) {
  if (!train_split_ || train_split_->size() == 0) {
    fail(Exit::no_input, "{}: has no training samples; give lepton-prep some with --train or --split", data.path());
  }
  choose_samples();
  const auto classes = static_cast<int64_t>(data.meta().classes.size());
  graph_ = build_graph(options_.net, data.sample_shape(), classes, tokens_of(data));
  if (regression() && options_.class_weight != "none") {
    fail(Exit::usage, "--class-weight: {} has numbers to predict, no classes", data.path());
  }
  if (!options_.target.empty() && options_.target.starts_with("rmse=") != regression()) {
    fail(Exit::usage, "--target {}: {} is judged by {}", options_.target, data.path(),
         regression() ? "rmse=X" : "accuracy=X");
  }
  LoaderOptions loading;
  loading.target_mean = data.meta().target_mean;
  loading.target_std = data.meta().target_std;
  loading.batch = options_.batch;
  loading.seed = options_.seed;
  loading.class_weights = class_weights(options_.class_weight, data.meta().classes, *train_split_, train_samples_);
  loader_ = std::make_unique<BatchLoader>(*train_split_, train_samples_, loading);
  compile_engines();
}

void Run::choose_samples() {
  const auto classes = static_cast<int64_t>(data_.meta().classes.size());
  train_samples_ = labelled(*train_split_);
  if (train_samples_.empty()) fail(Exit::no_input, "{}: no training sample has a label", data_.path());
  if (!regression() && classes < 2) {
    fail(Exit::no_input, "{}: has the class `{}` only; a classifier needs at least two", data_.path(),
         data_.meta().classes.front());
  }
  const SplitData* own = data_.split(Split::val);
  if (options_.val != "none" && own && own->size() > 0) {
    val_split_ = own;
    val_samples_ = labelled(*own);
    hooks_.explain(fmt::format("validation: the val split, {} samples", val_samples_.size()));
  } else if (options_.val != "none") {
    HeldOut parts = hold_out(*train_split_, train_samples_, classes, options_.val);
    if (!parts.val.empty() && !parts.train.empty()) {
      train_samples_ = std::move(parts.train);
      val_samples_ = std::move(parts.val);
      val_split_ = train_split_;
    }
    hooks_.explain(fmt::format("validation: {} of the training samples held out, by content", val_samples_.size()));
  }
  if (regression()) return;
  if (!val_samples_.empty()) val_labels_ = labels_of(*val_split_, val_samples_);
  majority_ =
      majority_baseline(val_samples_.empty() ? labels_of(*train_split_, train_samples_) : val_labels_, classes).value;
}

void Run::compile_engines() {
  EngineOptions o;
  o.batch = loader_->largest_batch();
  o.threads = setup_.threads;
  o.training = true;
  o.seed = options_.seed;
  o.optimizer = options_.optimizer;
  if (regression()) o.loss = LossKind::mse;
  o.precision = options_.precision;
  o.loss_scale = options_.loss_scale;
  o.mean = data_.meta().mean;
  o.std = data_.meta().std;
  engine_ = compile(graph_, setup_.device, o);
  hooks_.explain(why_not_a_gpu(setup_.device) + engine_->describe());
  o.training = false;
  o.precision = Precision::fp32;  // as lepton-infer and lepton-eval will answer
  judge_batch_ = o.batch = std::clamp<int64_t>(static_cast<int64_t>(val_samples_.size()), 1, 256);
  judge_ = compile(graph_, setup_.device, o);
  if (const std::string warning = gpu_warning(setup_.device); !warning.empty()) hooks_.warn(warning);
}

// From the first images in the order of training, so that every class is among them.
void Run::whiten(ParameterSet& parameters) {
  constexpr size_t kImages = 5000;
  const Shape& shape = train_split_->sample_shape();
  const auto elements = static_cast<size_t>(shape.elements()), channels = static_cast<size_t>(shape[2]);
  std::vector<float> mean = data_.meta().mean, std = data_.meta().std;
  if (mean.empty()) mean.assign(channels, 0.0F);
  if (std.empty()) std.assign(channels, 1.0F);
  std::vector<float> images;
  loader_->start(0, 0, {});
  while (const OwnedBatch* batch = images.size() < kImages * elements ? loader_->next() : nullptr) {
    for (size_t i = 0; i < batch->x.size() && images.size() < kImages * elements; ++i) {
      const size_t c = i % channels;
      images.push_back((static_cast<float>(batch->x[i]) - mean[c]) / std[c]);
    }
  }
  set_whitening(parameters, graph_, images, static_cast<int64_t>(images.size() / elements));
}

double Run::progress() const {
  if (options_.time_seconds > 0) return std::min(1.0, elapsed() / options_.time_seconds);
  const int64_t steps = loader_->steps_per_epoch();
  return static_cast<double>(state_.epoch * steps + state_.step) / static_cast<double>(options_.epochs * steps);
}

bool Run::run_epoch() {
  const int64_t steps = loader_->steps_per_epoch();
  AugmentSpec augment = options_.augment;
  if (state_.mirror == static_cast<int>(Mirror::harmless)) augment.flip = AugmentSpec::Flip::alternate;
  loader_->start(state_.epoch, state_.step, augment);
  epoch_begun_ = Clock::now();
  while (const OwnedBatch* batch = loader_->next()) {
    const double done =
        static_cast<double>(state_.epoch) + static_cast<double>(state_.step) / static_cast<double>(steps);
    const Rates rates = rates_at(graph_, options_, progress(), done);
    StepSettings settings;
    settings.step = state_.epoch * steps + state_.step;
    settings.rates = rates.rates;
    settings.decays = rates.decays;
    if (!regression()) settings.label_smoothing = static_cast<float>(options_.label_smoothing);
    settings.sum_loss = options_.sum_loss;
    const StepResult result = engine_->train_step(batch->view(), settings);
    if (!result.finite || !std::isfinite(result.loss)) {
      diverged(fmt::format("epoch {}, step {}: the loss", state_.epoch + 1, state_.step + 1));
    }
    state_.loss_sum += result.loss * static_cast<double>(batch->n);
    state_.correct += result.correct;
    state_.seen += batch->n;
    ++state_.step;
    hooks_.on_step(state_.epoch + 1, state_.step, steps, state_.loss_sum / static_cast<double>(state_.seen));
    if (hooks_.stop()) {
      save_checkpoint();
      return false;
    }
    const bool due = setup_.checkpoint_seconds > 0 && seconds_since(checkpointed_) >= setup_.checkpoint_seconds;
    if (hooks_.checkpoint_now() || due) save_checkpoint();
    if (options_.time_seconds > 0 && elapsed() >= options_.time_seconds) break;
  }
  return true;
}

Run::Score Run::validate(bool mirrored) {
  judge_->load(answering_parameters(engine_->save()));
  const std::vector<int32_t>& truth = val_labels_;
  const auto n = static_cast<double>(truth.size());
  const auto scores = [&](std::span<const WeightedView> views) {
    return score_samples(*judge_, graph_, graph_.output(), *val_split_, val_samples_, judge_batch_, views);
  };
  Score score;
  const std::vector<float> logits = scores(plain_view());
  if (!std::all_of(logits.begin(), logits.end(), [](float v) { return std::isfinite(v); })) {
    diverged(fmt::format("epoch {}: a validation score", state_.epoch + 1));
  }
  if (regression()) return {.loss = squared_error(logits, *val_split_, val_samples_, data_.meta())};
  score.accuracy = static_cast<double>(count_top(logits, truth, graph_.classes, 1)) / n;
  score.loss = log_loss(softmax(logits, graph_.classes), truth, graph_.classes);
  if (mirrored) {
    WeightedView view;
    view.view.flip = true;
    score.mirrored = static_cast<double>(count_top(scores(std::vector{view}), truth, graph_.classes, 1)) / n;
  }
  return score;
}

bool Run::better(const Score& score) const {
  return best_.tensors.empty() || score.accuracy > state_.best_accuracy ||
         (score.accuracy == state_.best_accuracy && score.loss < state_.best_loss);
}

void Run::end_epoch() {
  EpochRecord record;
  record.epoch = state_.epoch + 1;
  record.train_loss = state_.loss_sum / static_cast<double>(std::max<int64_t>(1, state_.seen));
  if (!regression()) {
    record.train_accuracy =
        static_cast<double>(state_.correct) / static_cast<double>(std::max<int64_t>(1, state_.seen));
  }
  record.seconds = seconds_since(epoch_begun_);
  record.images_per_second = static_cast<double>(state_.seen) / record.seconds;
  record.lr = options_.lr * schedule_factor(options_.schedule, progress());
  state_.trained = state_.seen;
  state_.train_accuracy = record.train_accuracy.value_or(0);
  state_.train_loss = record.train_loss;
  if (val_samples_.empty()) {
    record.best = true;
    best_ = answering_parameters(engine_->save());
  } else {
    const bool ask = !regression() && options_.flip_auto && state_.mirror == static_cast<int>(Mirror::undecided);
    const Score score = validate(ask);
    record.val_loss = score.loss;
    if (regression()) {
      record.val_rmse = root_in_units(score.loss, data_.meta());
    } else {
      record.val_accuracy = score.accuracy;
    }
    if (ask) {
      state_.mirror = static_cast<int>(judge_mirror(score.accuracy, score.mirrored, majority_));
      record.note = fmt::format("mirrored accuracy {:.4f}: {}", score.mirrored,
                                state_.mirror == static_cast<int>(Mirror::harmless)  ? "mirroring joins"
                                : state_.mirror == static_cast<int>(Mirror::harmful) ? "no mirroring"
                                                                                     : "not decided yet");
    }
    record.best = better(score);
    if (record.best) {
      best_ = answering_parameters(engine_->save());
      state_.best_accuracy = score.accuracy;
      state_.best_loss = score.loss;
      state_.best_epoch = record.epoch;
    }
  }
  ++state_.epoch;
  state_.step = state_.seen = state_.correct = 0;
  state_.loss_sum = 0;
  log_ += record.json() + "\n";
  hooks_.on_epoch(record);
}

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

std::optional<Model> Run::operator()() {
  std::optional<Checkpoint> old;
  if (setup_.resume && !setup_.checkpoint.empty()) old = read_checkpoint(setup_.checkpoint);
  if (old) {
    restore(*old);
  } else {
    ParameterSet parameters = starting_parameters(graph_, options_.seed, setup_.initial, data_.meta().classes);
    if (!setup_.initial && wants_whitening(graph_)) whiten(parameters);
    engine_->load(parameters);
  }
  hooks_.on_start(log_);
  const auto on_target = [&, at = options_.target.find('=')] {
    if (options_.target.empty() || state_.best_epoch == 0) return false;
    const double target = std::stod(options_.target.substr(at + 1));
    return regression() ? root_in_units(state_.best_loss, data_.meta()) <= target : state_.best_accuracy >= target;
  };
  const auto ended = [&] {
    const bool out_of_time = options_.time_seconds > 0 && elapsed() >= options_.time_seconds;
    const bool stale =
        options_.patience > 0 && !val_samples_.empty() && state_.epoch - state_.best_epoch >= options_.patience;
    return out_of_time || stale || on_target() || (options_.time_seconds <= 0 && state_.epoch >= options_.epochs);
  };
  begun_ = Clock::now();
  while (!ended()) {
    if (!run_epoch()) return std::nullopt;
    end_epoch();
    const bool stop = hooks_.stop();
    if (stop || seconds_since(checkpointed_) >= setup_.checkpoint_seconds) save_checkpoint();
    if (stop) return std::nullopt;
  }
  require_learned();
  return finished_model();
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

}  // namespace

std::optional<Model> train(const Dataset& data, const TrainSetup& setup, const TrainHooks& hooks) {
  return Run(data, setup, hooks)();
}

}  // namespace lepton
