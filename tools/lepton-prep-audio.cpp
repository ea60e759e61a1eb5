#include "lepton-prep-audio.h"

#include <fmt/ranges.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "io/audio.h"

namespace lepton {

void add_audio_options(CLI::App& app, AudioCommand& c) {
  const char* kAudio = "Recordings";
  app.add_option("--rate", c.rate, "samples a second (the most frequent rate of the training files)")
      ->type_name("HZ")
      ->group(kAudio);
  app.add_option("--duration", c.duration, "length of every sample (95 % of the training files fit in)")
      ->type_name("SECONDS")
      ->group(kAudio);
  app.add_option("--crop", c.crop, "the part kept of longer ones: centre, or energy, the loudest (centre)")
      ->type_name("PART")
      ->group(kAudio);
  app.add_flag("--trim", c.trim, "cut off silence at both ends")->group(kAudio);
  app.add_flag("--level", c.level, "bring every recording to full scale, also of wave")->group(kAudio);
  app.add_flag("--no-level", c.no_level, "leave recordings as loud as they are")->group(kAudio);
  app.add_option("--features", c.features, "logmel, mfcc, or wave: the samples themselves (logmel)")
      ->type_name("KIND")
      ->group(kAudio);
  app.add_option("--bands", c.bands, "mel bands (40)")->type_name("N")->group(kAudio);
  app.add_option("--coefficients", c.coefficients, "of mfcc (13)")->type_name("N")->group(kAudio);
  app.add_option("--range", c.range, "raise what is so far below the loudest band; 0: do not (50)")
      ->type_name("DB")
      ->group(kAudio);
  app.add_option("--window", c.window, "length of a frame (25)")->type_name("MS")->group(kAudio);
  app.add_option("--hop", c.hop, "from one frame to the next (10)")->type_name("MS")->group(kAudio);
  app.add_option("--max-seconds", c.max_seconds, "refuse longer recordings (600)")->type_name("N")->group(kAudio);
}

namespace {

// The value of an option that was given, within bounds; nothing if it is 0, the mark of one not given.
template <class Number>
std::optional<Number> within(const char* option, Number value, Number low, Number high) {
  if (value == 0) return std::nullopt;
  if (!(value >= low && value <= high)) fail(Exit::usage, "{} {}: expected {} to {}", option, value, low, high);
  return value;
}

// The position of a word among the choices of an option.
size_t choice(const char* option, const std::string& word, const std::vector<std::string>& choices) {
  const auto at = std::find(choices.begin(), choices.end(), word);
  if (at != choices.end()) return static_cast<size_t>(at - choices.begin());
  const std::string near = nearest(word, choices);
  fail(Exit::usage, "{} {}: expected {}{}", option, word, fmt::join(choices, ", "),
       near.empty() ? "" : "; did you mean '" + near + "'?");
}

}  // namespace

AudioOptions audio_options(const AudioCommand& c) {
  AudioOptions options;
  options.rate = within("--rate", c.rate, kLeastRate, kMostRate);
  options.duration = within("--duration", c.duration, 0.001, 86'400.0);
  options.max_seconds = within("--max-seconds", c.max_seconds, 1.0, 86'400.0);
  options.window = within("--window", c.window, 1.0, 1000.0);
  options.hop = within("--hop", c.hop, 0.1, 10'000.0);
  options.bands = within<int64_t>("--bands", c.bands, 1, 512);
  options.coefficients = within<int64_t>("--coefficients", c.coefficients, 1, 512);
  options.trim = c.trim;
  if (c.level && c.no_level) fail(Exit::usage, "--level and --no-level contradict each other");
  if (c.level || c.no_level) options.level = c.level;
  options.range = c.range;
  if (!c.crop.empty()) options.crop = static_cast<CropMode>(choice("--crop", c.crop, {"centre", "energy"}));
  if (!c.features.empty()) {
    options.kind = static_cast<FeatureKind>(choice("--features", c.features, {"logmel", "mfcc", "wave"}));
  }
  if (options.max_seconds) options.max_seconds = std::ceil(*options.max_seconds);
  const bool mfcc = options.kind == FeatureKind::mfcc;
  if (options.coefficients && !mfcc) fail(Exit::usage, "--coefficients goes with --features mfcc");
  if (options.coefficients.value_or(1) > options.bands.value_or(40)) {
    fail(Exit::usage, "--coefficients {}: at most as many as --bands, {}", *options.coefficients,
         options.bands.value_or(40));
  }
  if (c.range && (*c.range < 0 || *c.range > kMostDecibels))
    fail(Exit::usage, "--range {}: expected 0 to {}", *c.range, kMostDecibels);
  if (options.kind == FeatureKind::wave && (options.bands || options.window || options.hop || options.range)) {
    fail(Exit::usage, "--features wave has no --bands, --window, --hop or --range");
  }
  return options;
}

}  // namespace lepton
