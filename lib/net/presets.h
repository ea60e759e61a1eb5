#pragma once
// Named networks with the recipe that goes with each, and the choice made for data when nothing is said.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/shape.h"

namespace lepton {

// A network and the default options that go with it; options given by the user win.
struct Preset {
  std::string name;
  std::string description;  // one line
  std::string net;          // network text
  // Options of lepton-train by long name without dashes, in the order shown: epochs, batch, optimizer, lr, bias-lr,
  // head-lr, momentum, other-momentum, weight-decay, bias-decay, head-decay, schedule, warmup, label-smoothing, loss
  // (mean|sum), shift, flip (none|random|alternate|auto), cutout.
  std::vector<std::pair<std::string, std::string>> defaults;
};

// textbook, mlp, cnn6, resnet9, speed94.
std::span<const Preset> presets();
const Preset* find_preset(std::string_view name);  // nullptr if there is none

// The preset with its augmentation cut to inputs of `shape`: shift at most an eighth, cutout at most a quarter of the
// shorter side, and none at all for rows of numbers.
Preset fitted(const Preset& preset, const Shape& shape);

// Network and recipe for data of one sample's shape ({H,W,C} or {D}), `classes` classes and `samples` training samples.
// Meant to end within about twenty minutes on two cores for CIFAR-10-sized sets of colour images, within three for gray
// ones of 28x28, and to take enough steps on few samples. Its net fits every shape, its
// augmentation is fitted. The name is "default" or a
// preset's.
Preset default_preset(const Shape& shape, int64_t classes, int64_t samples);

}  // namespace lepton
