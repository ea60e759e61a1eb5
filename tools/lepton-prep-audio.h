#pragma once
// What lepton-prep can be asked about recordings.
#include <cstdint>
#include <optional>
#include <string>

#include "data/prep.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lepton {

struct AudioCommand {
  std::string crop, features;
  double duration = 0, window = 0, hop = 0, max_seconds = 0;  // 0: not given
  int64_t rate = 0, bands = 0, coefficients = 0;
  bool trim = false, level = false, no_level = false;
  std::optional<int64_t> range;
};

void add_audio_options(CLI::App& app, AudioCommand& command);
// Error(usage) names the option whose value cannot be.
AudioOptions audio_options(const AudioCommand& command);

}  // namespace lepton
