#include "train/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"

namespace lepton {
namespace {

double number(const std::string& name, const std::string& value, double low, double high) {
  const auto parsed = parse_double(value);
  if (!parsed || !(*parsed >= low && *parsed <= high)) {
    fail(Exit::usage, "--{} {}: expected a number from {} to {}", name, value, low, high);
  }
  return *parsed;
}

int64_t whole(const std::string& name, const std::string& value, int64_t low, int64_t high) {
  const auto parsed = parse_int(value);
  if (!parsed || *parsed < low || *parsed > high) {
    fail(Exit::usage, "--{} {}: expected a whole number from {} to {}", name, value, low, high);
  }
  return *parsed;
}

template <class Choice>
Choice choose(const std::string& name, const std::string& value, const std::map<std::string, Choice>& choices) {
  const auto it = choices.find(value);
  if (it != choices.end()) return it->second;
  std::string accepted;
  for (const auto& [word, choice] : choices) accepted += (accepted.empty() ? "" : ", ") + word;
  fail(Exit::usage, "--{} {}: expected one of {}", name, value, accepted);
}

// The number a person wrote, not its nearest float: 0.9, not 0.8999999761581421.
double decimal(float value) { return parse_double(fmt::format("{}", value)).value_or(static_cast<double>(value)); }

using Setter = std::function<void(TrainOptions&, const std::string& name, const std::string& value)>;

Setter real(double TrainOptions::* field, double low, double high) {
  return [=](TrainOptions& o, const std::string& n, const std::string& v) { o.*field = number(n, v, low, high); };
}
Setter real(float OptimizerSpec::* field, double low, double high) {
  return [=](TrainOptions& o, const std::string& n, const std::string& v) {
    o.optimizer.*field = static_cast<float>(number(n, v, low, high));
  };
}
Setter real(float AugmentSpec::* field, double low, double high) {
  return [=](TrainOptions& o, const std::string& n, const std::string& v) {
    o.augment.*field = static_cast<float>(number(n, v, low, high));
  };
}
Setter integer(int AugmentSpec::* field, int64_t high) {
  return [=](TrainOptions& o, const std::string& n, const std::string& v) {
    o.augment.*field = static_cast<int>(whole(n, v, 0, high));
  };
}

const std::map<std::string, Setter>& setters() {
  using O = TrainOptions;
  using S = const std::string&;
  static const std::map<std::string, Setter> kSetters = {
      {"epochs", [](O& o, S n, S v) { o.epochs = whole(n, v, 1, 1'000'000); }},
      {"batch", [](O& o, S n, S v) { o.batch = whole(n, v, 1, 65'536); }},
      {"optimizer",
       [](O& o, S n, S v) {
         o.optimizer.kind = choose<OptimizerKind>(
             n, v, {{"sgd", OptimizerKind::sgd}, {"adamw", OptimizerKind::adamw}, {"muon", OptimizerKind::muon}});
       }},
      {"schedule",
       [](O& o, S n, S v) {
         o.schedule.kind = choose<ScheduleKind>(n, v,
                                                {{"constant", ScheduleKind::constant},
                                                 {"step", ScheduleKind::step},
                                                 {"cosine", ScheduleKind::cosine},
                                                 {"one-cycle", ScheduleKind::one_cycle},
                                                 {"onecycle", ScheduleKind::one_cycle},
                                                 {"linear", ScheduleKind::linear}});
       }},
      {"warmup", [](O& o, S n, S v) { o.schedule.warmup = number(n, v, 0, 1); }},
      {"lr", real(&O::lr, 0, 1e6)},
      {"bias-lr", real(&O::bias_lr, 0, 1e6)},
      {"head-lr", real(&O::head_lr, 0, 1e6)},
      {"weight-decay", real(&O::weight_decay, 0, 1e3)},
      {"bias-decay", real(&O::bias_decay, 0, 1e3)},
      {"head-decay", real(&O::head_decay, 0, 1e3)},
      {"label-smoothing", real(&O::label_smoothing, 0, 0.999)},
      {"momentum", real(&OptimizerSpec::momentum, 0, 0.9999)},
      {"other-momentum", real(&OptimizerSpec::other_momentum, 0, 0.9999)},
      {"clip", real(&OptimizerSpec::clip, 0, 1e9)},
      {"ema", real(&OptimizerSpec::ema, 0, 0.99999)},
      {"brightness", real(&AugmentSpec::brightness, 0, 1)},
      {"contrast", real(&AugmentSpec::contrast, 0, 1)},
      {"shift", integer(&AugmentSpec::shift, 1024)},
      {"cutout", integer(&AugmentSpec::cutout, 4096)},
      {"time-mask", integer(&AugmentSpec::time_mask, 4096)},
      {"band-mask", integer(&AugmentSpec::band_mask, 4096)},
      {"noise", real(&AugmentSpec::noise, 0, 10)},
      {"precision",
       [](O& o, S n, S v) {
         o.precision = choose<Precision>(n, v,
                                         {{"fp32", Precision::fp32},
                                          {"tf32", Precision::tf32},
                                          {"bf16", Precision::bf16},
                                          {"fp16", Precision::fp16}});
       }},
      {"loss-scale", [](O& o, S n, S v) { o.loss_scale = static_cast<float>(number(n, v, 0, 1e9)); }},
      {"loss", [](O& o, S n, S v) { o.sum_loss = choose<bool>(n, v, {{"mean", false}, {"sum", true}}); }},
      {"flip",
       [](O& o, S n, S v) {
         o.flip_auto = v == "auto";
         using Flip = AugmentSpec::Flip;
         o.augment.flip = choose<Flip>(
             n, v,
             {{"none", Flip::none}, {"random", Flip::random}, {"alternate", Flip::alternate}, {"auto", Flip::none}});
       }},
      {"class-weight", [](O& o, S, S v) { o.class_weight = v; }},
      {"val",
       [](O& o, S n, S v) {
         if (v != "none" && v != "auto") number(n, v, 1e-6, 0.9);
         o.val = v;
       }},
      {"window",
       [](O& o, S n, S v) {
         const std::optional<int64_t> bytes = parse_bytes(v);
         if (!bytes || *bytes < 1) fail(Exit::usage, "--{} {}: expected bytes, as 512M or 4G", n, v);
         o.window = *bytes;
       }},
      {"best", [](O& o, S n, S v) { o.best_by_loss = choose<bool>(n, v, {{"accuracy", false}, {"loss", true}}); }},
      {"patience", [](O& o, S n, S v) { o.patience = whole(n, v, 0, 1'000'000); }},
      {"target",
       [](O& o, S n, S v) {
         const std::vector<std::string> parts = split(v, '=');
         const bool rmse = parts[0] == "rmse";
         if (parts.size() != 2 || (parts[0] != "accuracy" && !rmse))
           fail(Exit::usage, "--target {}: expected accuracy=0.94 or, for numbers, rmse=12.5", v);
         number(n, parts[1], 0, rmse ? 1e300 : 1);
         o.target = v;
       }},
      {"time", [](O& o, S n, S v) { o.time_seconds = parse_duration(n, v); }},
      {"seed", [](O& o, S n, S v) { o.seed = static_cast<uint64_t>(whole(n, v, 0, INT64_MAX)); }},
  };
  return kSetters;
}

}  // namespace

void apply_option(TrainOptions& options, const std::string& name, const std::string& value) {
  const auto it = setters().find(name);
  if (it == setters().end()) fail(Exit::bug, "no training option '{}'", name);
  it->second(options, name, value);
}

void apply_options(TrainOptions& options, std::span<const std::pair<std::string, std::string>> settings) {
  for (const auto& [name, value] : settings) apply_option(options, name, value);
}

Settings optimizer_defaults(const std::string& optimizer) {
  if (optimizer == "adamw") return {{"lr", "0.002"}, {"weight-decay", "0.01"}, {"loss", "mean"}};
  if (optimizer == "muon") {
    return {{"lr", "0.1"},       {"bias-lr", "0.05"}, {"head-lr", "0.05"},        {"bias-decay", "0"},
            {"head-decay", "0"}, {"momentum", "0.6"}, {"other-momentum", "0.85"}, {"weight-decay", "0"},
            {"loss", "mean"}};
  }
  return {{"lr", "0.05"}, {"momentum", "0.9"}, {"weight-decay", "0.0005"}, {"loss", "mean"}};
}

Settings general_recipe(const Shape& shape, int64_t samples) {
  const int64_t batch = samples < 2000 ? 32 : 128;
  // About 3,000 updates, which few samples need more passes for.
  const int64_t epochs = std::clamp<int64_t>(3000 * batch / std::max<int64_t>(1, samples), 20, 100);
  const int64_t side = shape.rank() == 3 ? std::min(shape[0], shape[1]) : 0;
  Settings settings = {{"epochs", std::to_string(epochs)},
                       {"batch", std::to_string(batch)},
                       {"optimizer", "adamw"},
                       {"schedule", "one-cycle"},
                       {"warmup", "0.2"},
                       {"shift", std::to_string(std::min<int64_t>(2, side / 8))},
                       {"flip", side >= 2 ? "auto" : "none"}};
  for (const auto& setting : optimizer_defaults("adamw")) settings.push_back(setting);
  if (shape.rank() == 2) {
    const auto vary = [&](const char* name, int64_t most, int64_t room) {
      settings.emplace_back(name, std::to_string(std::min(most, room)));
    };
    vary("shift", 10, shape[0] / 8);
    vary("time-mask", 12, shape[0] / 4);
    vary("band-mask", 8, shape[1] / 4);
  }
  return settings;
}

void scale_decays(TrainOptions& o, const TrainOptions& recipe, bool bias_given, bool head_given) {
  const double samples = static_cast<double>(o.batch) / static_cast<double>(recipe.batch);
  const auto scale = [&](double& decay, double rate, double recipe_rate) {
    if (rate > 0 && (samples != 1 || rate != recipe_rate)) decay *= samples * recipe_rate / rate;
  };
  if (!bias_given) scale(o.bias_decay, o.bias_lr, recipe.bias_lr);
  if (!head_given) scale(o.head_decay, o.head_lr, recipe.head_lr);
}

void apply_augment(TrainOptions& options, const std::string& value) {
  if (value == "auto") {
    options.flip_auto = true;
    options.augment.flip = AugmentSpec::Flip::none;
    return;
  }
  options.augment = {};
  options.flip_auto = false;
  if (value == "none") return;
  const std::vector<std::string> names = {"shift",    "flip",      "cutout",    "brightness",
                                          "contrast", "time-mask", "band-mask", "noise"};
  for (const std::string& part : split(value, ',')) {
    const size_t equals = part.find('=');
    const std::string name = part.substr(0, equals);
    if (equals == std::string::npos || std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string near = nearest(name, names);
      fail(Exit::usage,
           "--augment {}: '{}' is not shift=N, flip=random|alternate|auto, cutout=N, brightness=X, contrast=X, "
           "time-mask=N, band-mask=N or noise=X{}",
           value, part, near.empty() ? "" : " (did you mean " + near + "?)");
    }
    apply_option(options, name, part.substr(equals + 1));
  }
}

void check_augment(TrainOptions& options, const Shape& sample, const std::string& asked) {
  struct Row {
    const char* name;
    int least_rank, most_rank;
  };
  constexpr Row kRows[] = {{"shift", 2, 3},    {"flip", 3, 3},      {"cutout", 3, 3},    {"brightness", 3, 3},
                           {"contrast", 3, 3}, {"time-mask", 2, 2}, {"band-mask", 2, 2}, {"noise", 2, 2}};
  const char* kind = sample.rank() == 3 ? "images" : sample.rank() == 2 ? "recordings" : "texts or rows";
  const bool listed = asked.find('=') != std::string::npos;
  for (const std::string& part : listed ? split(asked, ',') : std::vector<std::string>{}) {
    for (const Row& row : kRows) {
      if (part.substr(0, part.find('=')) != row.name) continue;
      if (sample.rank() >= row.least_rank && sample.rank() <= row.most_rank) continue;
      fail(Exit::usage, "--augment {}: {} is for {}: the samples are {}", asked, row.name,
           row.least_rank == 3  ? "images"
           : row.most_rank == 2 ? "recordings"
                                : "images and recordings",
           kind);
    }
  }
  AugmentSpec& a = options.augment;
  if (sample.rank() == 3 && (a.time_mask > 0 || a.band_mask > 0 || a.noise > 0))
    fail(Exit::usage, "time-mask, band-mask and noise are for recordings: the samples are {}", kind);
  if (sample.rank() == 3) return;
  options.flip_auto = false;
  if (a.flip != AugmentSpec::Flip::none || a.cutout > 0 || a.brightness > 0 || a.contrast > 0)
    fail(Exit::usage, "flip, cutout, brightness and contrast are for images: the samples are {}", kind);
}

double parse_duration(const std::string& option, const std::string& text) {
  double unit = 1;
  std::string digits = text;
  if (!digits.empty() && std::string("smh").find(digits.back()) != std::string::npos) {
    unit = digits.back() == 'm' ? 60 : digits.back() == 'h' ? 3600 : 1;
    digits.pop_back();
  }
  const auto value = parse_double(digits);
  if (!value || !(*value > 0) || *value > 1e7)
    fail(Exit::usage, "--{} {}: expected a time such as 90s, 30m or 2h", option, text);
  return *value * unit;
}

std::string options_json(const TrainOptions& o) {
  nlohmann::ordered_json j;
  constexpr const char* kOptimizers[] = {"sgd", "adamw", "muon"};
  constexpr const char* kFlips[] = {"none", "random", "alternate"};
  j["epochs"] = o.epochs;
  if (o.time_seconds > 0) j["time"] = o.time_seconds;
  if (!o.target.empty()) j["target"] = o.target;
  j["batch"] = o.batch;
  j["optimizer"] = kOptimizers[static_cast<int>(o.optimizer.kind)];
  j["lr"] = o.lr;
  j["bias-lr"] = o.bias_lr;
  j["head-lr"] = o.head_lr;
  j["momentum"] = decimal(o.optimizer.momentum);
  j["other-momentum"] = decimal(o.optimizer.other_momentum);
  j["weight-decay"] = o.weight_decay;
  j["bias-decay"] = o.bias_decay;
  j["head-decay"] = o.head_decay;
  j["schedule"] = schedule_name(o.schedule.kind);
  j["warmup"] = o.schedule.warmup;
  j["clip"] = decimal(o.optimizer.clip);
  j["ema"] = decimal(o.optimizer.ema);
  j["label-smoothing"] = o.label_smoothing;
  j["loss"] = o.sum_loss ? "sum" : "mean";
  j["shift"] = o.augment.shift;
  j["flip"] = o.flip_auto ? "auto" : kFlips[static_cast<int>(o.augment.flip)];
  j["cutout"] = o.augment.cutout;
  j["brightness"] = decimal(o.augment.brightness);
  j["contrast"] = decimal(o.augment.contrast);
  if (o.augment.time_mask > 0) j["time-mask"] = o.augment.time_mask;
  if (o.augment.band_mask > 0) j["band-mask"] = o.augment.band_mask;
  if (o.augment.noise > 0) j["noise"] = decimal(o.augment.noise);
  j["class-weight"] = o.class_weight;
  j["val"] = o.val;
  if (o.window != TrainOptions{}.window) j["window"] = o.window;
  if (o.best_by_loss) j["best"] = "loss";
  j["patience"] = o.patience;
  if (o.precision != Precision::fp32) j["precision"] = kPrecisionNames[static_cast<size_t>(o.precision)];
  if (o.loss_scale > 0) j["loss-scale"] = decimal(o.loss_scale);
  j["seed"] = o.seed;
  if (!o.init.empty()) j["init"] = o.init;
  return j.dump();
}

}  // namespace lepton
