#pragma once
// From sources of labelled files to a dataset file: scan, divide, decode, write.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/features.h"
#include "data/recipe_image.h"
#include "data/sound.h"
#include "data/source.h"
#include "data/splits.h"

namespace lepton {

// Bad inputs allowed: a number, or a share of all inputs.
struct ErrorLimit {
  double value = 1;
  bool percent = true;
  bool allows(int64_t errors, int64_t inputs) const;
  static ErrorLimit parse(const std::string& text);  // "10" or "2%"; Error(usage)
};

// What was asked of recordings; nothing: prep chooses.
struct AudioOptions {
  std::optional<int64_t> rate;          // Hz; the most frequent one of the training files
  std::optional<double> duration;       // seconds; long enough for 95 % of the training files
  std::optional<CropMode> crop;         // centre
  std::optional<FeatureKind> kind;      // logmel
  std::optional<int64_t> bands;         // 40
  std::optional<int64_t> coefficients;  // 13
  std::optional<double> window, hop;    // milliseconds; 25 and 10
  std::optional<double> max_seconds;    // 600
  std::optional<bool> level;            // of logmel and mfcc
  std::optional<int64_t> range;         // decibels; 50 of logmel and mfcc
  bool trim = false;
};

struct KnownRecipe;

struct PrepOptions {
  const KnownRecipe* known = nullptr;  // prepare as that file was: recipe, statistics and classes are its own
  std::string type;                    // "image", "audio"; "" = by content
  AudioOptions audio;
  int64_t width = 0, height = 0;     // 0 = as the images are, which must then be of one size
  std::optional<ResizeMode> resize;  // fit where a size is given
  bool gray = false;
  int64_t max_pixels = 100'000'000;
  std::string label_regex;  // POSIX extended, on file names; its first group, or the whole match, is the label
  SplitShares shares;
  bool shares_given = false;
  std::string split_key;  // POSIX extended regular expression on ids; its first group, or the whole match, is the key
  std::string labels;     // TSV of labels; "" = labels from class folders and label files
  std::vector<std::string> class_names;  // fixes the order; names for numbers. Empty: those of `known`
  ErrorLimit max_errors;
  uint64_t seed = 0;
  int threads = 1;
  std::string version;  // of the program, for the provenance
};

// How prep speaks to whoever runs it. Every function must be set.
struct PrepHooks {
  std::function<void(const std::string&)> warn, note, detail;
  std::function<void(const char* what, int64_t done, int64_t total)> progress;  // total -1 where unknown
  std::function<void(const std::vector<InputError>&)> report;  // every bad input, before the limit is judged
};

// What was written, for the closing words.
struct PrepResult {
  int64_t samples = 0, errors = 0;
  int64_t cut = 0;          // samples that are the beginning of something longer
  int64_t lost_colour = 0;  // images turned gray without having been asked to
  std::array<int64_t, 3> in_split{};
  std::vector<std::string> classes;
  int64_t targets = 0;  // regression: numbers a sample is to be given; 0 = classes
  std::string what;     // "images 32x32 gray"
};

// Reads all sources and writes the dataset to `target` ("-" = standard output). Errors: bad_inputs beyond the limit,
// no_input where nothing is usable or training has one class only, usage for several sizes of images without --size.
PrepResult prepare(const std::vector<std::unique_ptr<Source>>& sources, const std::string& target,
                   const PrepOptions& options, const PrepHooks& hooks);

}  // namespace lepton
