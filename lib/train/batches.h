#pragma once
// Batches of a split in shuffled order, prepared on a thread of their own while the engine works.
#include <memory>
#include <vector>

#include "base/batch.h"
#include "data/dataset.h"

namespace lepton {

// Which augmentations, how strong. Every number is a pure function of seed, epoch and sample.
struct AugmentSpec {
  int shift = 0;  // reflect-pad shift, pixels each way
  enum class Flip { none, random, alternate } flip = Flip::none;
  int cutout = 0;        // side of the box, pixels
  float brightness = 0;  // largest change, in units of 255
  float contrast = 0;    // largest relative change
};
Augment augment_of(const AugmentSpec& spec, const Shape& sample, uint64_t seed, int64_t epoch, int64_t sample_index);

}  // namespace lepton
