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

// What a sample is: an image {H,W,C}, a row of numbers {D}, frames of sound {T,F}, or the tokens {L} of a text.
enum class SampleKind { image, row, frames, text };
SampleKind kind_of(const Shape& sample, int64_t tokens);
const char* plural_of(SampleKind kind);  // "images"

// A network and the default options that go with it; options given by the user win.
struct Preset {
  std::string name;
  std::string description;  // one line
  std::string net;          // network text
  // Options of lepton-train by long name without dashes, in the order shown: epochs, batch, optimizer, lr, bias-lr,
  // head-lr, momentum, other-momentum, weight-decay, bias-decay, head-decay, schedule, warmup, label-smoothing, loss
  // (mean|sum), shift, flip (none|random|alternate|auto), cutout; of frames also
  // time-mask, band-mask, noise.
  std::vector<std::pair<std::string, std::string>> defaults;
  std::vector<SampleKind> kinds = {};  // it is for; empty: all
};

// Of images textbook, cnn6, resnet9, speed94; of rows mlp, resmlp; of frames kws, dscnn; of texts textcnn, fasttext.
// Those of rows predict numbers as well (a loss of mse).
std::span<const Preset> presets();
const Preset* find_preset(std::string_view name);  // nullptr if there is none

// Throws Error(usage) that names those there are, where the preset is not for samples of this kind.
void require_kind(const Preset& preset, SampleKind kind);

// The preset with its augmentation cut to inputs of `shape`: shift at most an eighth (of frames, of their number),
// cutout at most a quarter of the shorter side, masks at most a quarter of the frames or bands, no mirroring of
// frames, and nothing at all for rows of numbers and texts.
Preset fitted(const Preset& preset, const Shape& shape);

// Network and recipe for data of one sample's shape, `classes` classes (or numbers to be predicted) and `samples`
// training samples; tokens > 0: texts of so many different tokens, whose order means nothing where they are a `bag`.
// Meant to end within about twenty minutes on two cores for CIFAR-10-sized sets of colour images, within three for gray
// ones of 28x28, and to take enough steps on few samples. Its net fits every shape, its
// augmentation is fitted. The name is "default" or a
// preset's.
Preset default_preset(const Shape& shape, int64_t classes, int64_t samples, int64_t tokens = 0, bool is_bag = false);

}  // namespace lepton
