#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "metrics/metrics.h"
#include "net/parameters.h"
#include "predict/scoring.h"
#include "train/run.h"

namespace lepton {
namespace {

Mirror judge_mirror(double plain, double mirrored, double majority) {
  if (plain < majority + 0.2 * (1 - majority)) return Mirror::undecided;
  return mirrored >= 0.9 * plain ? Mirror::harmless : Mirror::harmful;
}

}  // namespace

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
  if (regression() && options_.label_smoothing > 0) {
    fail(Exit::usage, "--label-smoothing: {} has numbers to predict, no classes", data.path());
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
  loading.window_bytes = options_.window;
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
  EngineOptions judging = o;
  judging.training = false;
  judging.precision = Precision::fp32;  // as lepton-infer and lepton-eval will answer
  judge_batch_ = judging.batch = std::clamp<int64_t>(static_cast<int64_t>(val_samples_.size()), 1, 256);
  judging.memory_limit = (setup_.memory_limit + 3) / 4;  // it may answer in pieces, what is left is for learning
  if (setup_.memory_limit > 0) {
    judge_ = setup_.compile(graph_, setup_.device, judging);
    o.memory_limit = std::max<int64_t>(1, setup_.memory_limit - judge_->memory_bytes());
  }
  engine_ = setup_.compile(graph_, setup_.device, o);
  hooks_.explain(why_not_a_gpu(setup_.device) + engine_->describe());
  if (!judge_) judge_ = setup_.compile(graph_, setup_.device, judging);
  if (const std::string warning = gpu_warning(setup_.device); !warning.empty()) hooks_.warn(warning);
  if (const std::string warning = precision_warning(setup_.device, o.precision); !warning.empty()) hooks_.warn(warning);
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

// Images stay with an engine that has room for them: batches then name them.
void Run::place_samples() {
  const SplitData& split = *train_split_;
  if (split.type() != ElementType::u8) return;
  const auto read = [&](int64_t first, int64_t count, std::span<uint8_t> to) { split.read(first, count, to); };
  if (!engine_->keep(split.size(), read)) return;
  loader_->name_samples();
  hooks_.explain("training samples: kept on the device");
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
  engine_->announce({});
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
    if (const OwnedBatch* ahead = loader_->ahead()) engine_->announce(ahead->view());
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
  if (options_.best_by_loss) return best_.tensors.empty() || score.loss < state_.best_loss;
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
  place_samples();
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

std::optional<Model> train(const Dataset& data, const TrainSetup& setup, const TrainHooks& hooks) {
  return Run(data, setup, hooks)();
}

}  // namespace lepton
