#pragma once
// What travels from data to engine: spans into a batch and one set of augmentation numbers a sample.
#include <cstdint>
#include <span>

#include "base/shape.h"

namespace lepton {

// What is done to one image on its way into the network: result(y,x) = image(reflect(y+dy), reflect(x+dx)), mirrored
// left-right first if flip, (v-128)*contrast+128+brightness, then the cut-out box [y,y+h)x[x,x+w) set to the mean.
//
// To one sequence of frames [T,F], or one row (T = 1): result(t,f) = frames(t+dy, f), the mean where there is no such
// frame, plus `noise` times a random number of mean 0 and deviation 1, in units of the band's standard deviation, drawn
// for (key, t*F+f); then the frames [cut_y, cut_y+cut_h) and the bands [cut_x, cut_x+cut_w) set to the mean.
struct Augment {
  int16_t dy = 0, dx = 0;
  int16_t cut_y = 0, cut_x = 0, cut_h = 0, cut_w = 0;
  float brightness = 0, contrast = 1;
  bool flip = false;
  float noise = 0;
  uint64_t key = 0;
};

// n samples. Exactly one of images, kept, rows and tokens is non-empty.
struct Batch {
  int64_t n = 0;
  std::span<const uint8_t> images;   // [n,H,W,C]
  std::span<const int32_t> kept;     // [n] which of the images that the engine keeps (Engine::keep)
  std::span<const float> rows;       // [n,D] or [n,T,F]
  std::span<const int32_t> tokens;   // [n,L], 0 = padding, which stands at the end
  std::span<const int32_t> labels;   // [n], -1 = unlabelled (no loss); empty when only inferring
  std::span<const float> targets;    // [n,T] numbers to be predicted, NaN = unknown (no loss); for a loss of mse
  std::span<const float> weights;    // [n] weight of each sample's loss; empty = 1
  std::span<const Augment> augment;  // [n]; empty = none
};

}  // namespace lepton
