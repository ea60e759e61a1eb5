#pragma once
// Recordings to f32 [T,F]: decode, one rate, trim, full scale, one length, features.
#include "data/features.h"
#include "data/recipe.h"
#include "data/recipe_json.h"
#include "data/sound.h"
#include "io/audio.h"

namespace lepton {

struct AudioSettings {
  double max_seconds = 600;
  int64_t trim_db = 0;  // silence at both ends is cut off; 0: it stays
  bool level = false;   // every recording is brought to full scale
  int64_t samples = 0;  // of every recording, at features.rate
  CropMode crop = CropMode::centre;
  FeatureSpec features;
};

class AudioRecipe : public Recipe {
 public:
  // Error(usage) for features that cannot be: a recording shorter than a window, too many bands.
  explicit AudioRecipe(const AudioSettings& settings);
  static AudioRecipe from_steps(const RecipeJson& steps);  // Error(mismatch)
  const AudioSettings& settings() const { return settings_; }
  Shape sample_shape() const override;
  ElementType type() const override { return ElementType::f32; }
  std::string json() const override;
  Prepared prepare(std::span<const uint8_t> raw) const override;
  std::string differs(const Recipe& other) const override;
  // "of 1 s at 8000 Hz, 98x40 log-mel"
  std::string describe() const;

 private:
  AudioSettings settings_;
  std::shared_ptr<const FeaturePlan> plan_;
};

// Decoded, brought to the rate wanted and trimmed, as a recipe begins; Audio::rate is the file's own.
Audio decode_at(std::span<const uint8_t> raw, double max_seconds, int64_t rate, int64_t trim_db);

}  // namespace lepton
