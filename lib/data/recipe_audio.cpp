#include "data/recipe_audio.h"

#include <array>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace lepton {
namespace {

constexpr int64_t kMostSeconds = 1'000'000, kMostWindow = 65536, kMostBands = 512;
constexpr int64_t kMostSampleBytes = int64_t{1} << 30;
constexpr std::array<std::pair<FeatureKind, const char*>, 3> kKinds = {
    {{FeatureKind::logmel, "logmel"}, {FeatureKind::mfcc, "mfcc"}, {FeatureKind::wave, "wave"}}};

bool is_step(const RecipeJson& steps, size_t index, const char* name) {
  return steps.size() > index && steps[index].is_object() && steps[index].contains("step") &&
         steps[index]["step"] == name;
}

FeatureSpec features_of(const RecipeJson& steps, size_t index, int64_t rate) {
  FeatureSpec spec;
  spec.rate = rate;
  if (is_step(steps, index, "wave")) {
    step_at(steps, index, "wave", {});
    spec.kind = FeatureKind::wave;
    return spec;
  }
  const bool mfcc = is_step(steps, index, "mfcc");
  const RecipeJson& step = mfcc ? step_at(steps, index, "mfcc", {"window", "hop", "bands", "coefficients"}, "range_db")
                                : step_at(steps, index, "logmel", {"window", "hop", "bands"}, "range_db");
  spec.kind = mfcc ? FeatureKind::mfcc : FeatureKind::logmel;
  spec.window = integer(step, "window", 1, kMostWindow);
  spec.hop = integer(step, "hop", 1, kMostWindow);
  spec.bands = integer(step, "bands", 1, kMostBands);
  if (mfcc) spec.coefficients = integer(step, "coefficients", 1, spec.bands);
  if (step.contains("range_db")) spec.range_db = integer(step, "range_db", 1, kMostDecibels);
  return spec;
}

}  // namespace

AudioRecipe::AudioRecipe(const AudioSettings& settings) : settings_(settings) {
  const FeatureSpec& f = settings_.features;
  if (f.frames(settings_.samples) < 1) {
    fail(Exit::usage, "{} samples are less than a window of {}", settings_.samples, f.window);
  }
  if (sample_shape().elements() * 4 > kMostSampleBytes) {
    fail(Exit::usage, "{} frames of {} numbers are more than a gibibyte", f.frames(settings_.samples), f.width());
  }
  plan_ = std::make_shared<const FeaturePlan>(f);
}

AudioRecipe AudioRecipe::from_steps(const RecipeJson& steps) {
  AudioSettings s;
  const RecipeJson& decode = step_at(steps, 0, "decode", {"max_seconds", "channels"});
  s.max_seconds = static_cast<double>(integer(decode, "max_seconds", 1, kMostSeconds));
  require_text(decode, "channels", "mean");
  const RecipeJson& rate = step_at(steps, 1, "rate", {"hertz", "converter"});
  require_text(rate, "converter", "sinc-medium");
  size_t next = 2;
  if (is_step(steps, next, "trim")) {
    s.trim_db = integer(step_at(steps, next, "trim", {"below_db"}), "below_db", 1, kMostDecibels);
    ++next;
  }
  if (is_step(steps, next, "level")) {
    integer(step_at(steps, next, "level", {"peak"}), "peak", 1, 1);
    s.level = true;
    ++next;
  }
  const RecipeJson& length = step_at(steps, next, "length", {"samples", "crop"});
  s.samples = integer(length, "samples", 1, kMostSamples);
  s.crop = length["crop"] == "energy" ? CropMode::energy : CropMode::centre;
  if (s.crop == CropMode::centre) require_text(length, "crop", "centre");
  s.features = features_of(steps, next + 1, integer(rate, "hertz", kLeastRate, kMostRate));
  if (steps.size() != next + 2) refuse_recipe("has steps this version does not know");
  try {
    return AudioRecipe(s);
  } catch (const Error& error) {
    refuse_recipe(error.what());
  }
}

Shape AudioRecipe::sample_shape() const {
  return {settings_.features.frames(settings_.samples), settings_.features.width()};
}

std::string AudioRecipe::json() const {
  const FeatureSpec& f = settings_.features;
  RecipeJson steps = RecipeJson::array();
  steps.push_back(
      {{"step", "decode"}, {"max_seconds", static_cast<int64_t>(settings_.max_seconds)}, {"channels", "mean"}});
  steps.push_back({{"step", "rate"}, {"hertz", f.rate}, {"converter", "sinc-medium"}});
  if (settings_.trim_db > 0) steps.push_back({{"step", "trim"}, {"below_db", settings_.trim_db}});
  if (settings_.level) steps.push_back({{"step", "level"}, {"peak", 1}});
  steps.push_back({{"step", "length"},
                   {"samples", settings_.samples},
                   {"crop", settings_.crop == CropMode::energy ? "energy" : "centre"}});
  RecipeJson features = {{"step", kKinds[static_cast<size_t>(f.kind)].second}};
  if (f.kind != FeatureKind::wave) features.update({{"window", f.window}, {"hop", f.hop}, {"bands", f.bands}});
  if (f.kind == FeatureKind::mfcc) features["coefficients"] = f.coefficients;
  if (f.range_db > 0) features["range_db"] = f.range_db;
  steps.push_back(features);
  return recipe_text("audio", steps);
}

Audio decode_at(std::span<const uint8_t> raw, double max_seconds, int64_t rate, int64_t trim_db) {
  Audio audio = decode_audio(raw, {max_seconds});
  if (rate != audio.rate) audio.samples = resample(audio.samples, audio.rate, rate);
  if (trim_db > 0) {
    const std::span<const float> kept = trim_silence(audio.samples, rate, trim_db);
    audio.samples = std::vector<float>(kept.begin(), kept.end());
  }
  return audio;
}

Prepared AudioRecipe::prepare(std::span<const uint8_t> raw) const {
  const FeatureSpec& f = settings_.features;
  Audio audio = decode_at(raw, settings_.max_seconds, f.rate, settings_.trim_db);
  if (settings_.level) to_full_scale(audio.samples);
  const std::vector<float> samples = fit_length(audio.samples, settings_.samples, settings_.crop);
  std::vector<float> frames(static_cast<size_t>(sample_shape().elements()));
  plan_->compute(samples, frames);
  Prepared prepared;
  prepared.x.resize(frames.size() * sizeof(float));
  std::memcpy(prepared.x.data(), frames.data(), prepared.x.size());
  prepared.resampled = audio.rate != f.rate;
  return prepared;
}

std::string AudioRecipe::differs(const Recipe& other) const {
  const auto* audio = dynamic_cast<const AudioRecipe*>(&other);
  if (audio == nullptr) return "";
  AudioSettings same = audio->settings_;
  same.max_seconds = settings_.max_seconds;
  if (AudioRecipe(same).json() == json()) return "";
  return "its recordings (" + audio->describe() + ") were prepared in another way than the model's training data (" +
         describe() + "): prepare them with lepton-prep --recipe";
}

std::string AudioRecipe::describe() const {
  constexpr std::array<const char*, 3> kNames = {"log-mel", "mfcc", "wave"};
  const FeatureSpec& f = settings_.features;
  return fmt::format("of {:.4g} s at {} Hz, {}x{} {}",
                     static_cast<double>(settings_.samples) / static_cast<double>(f.rate), f.rate, sample_shape()[0],
                     sample_shape()[1], kNames[static_cast<size_t>(f.kind)]);
}

}  // namespace lepton
