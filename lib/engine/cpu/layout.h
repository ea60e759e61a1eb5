#pragma once
// The blocked layout every activation has from first to last layer: [n][channel block][h][w][lanes], channels padded
// with zeros (oneDNN's nChw16c or nChw8c). Rows {D} are maps of one pixel.
#include <cstdint>
#include <span>

#include "base/shape.h"

namespace lepton::cpu {

struct Map {
  int64_t h = 1, w = 1, c = 1;

  int64_t blocks() const;  // channel blocks
  int64_t pixels() const { return h * w; }
  int64_t plane() const;                                 // floats of one channel block of one sample
  int64_t sample() const { return blocks() * plane(); }  // floats of one sample, padding included
  int64_t place(int64_t pixel, int64_t channel) const;   // offset in a sample of one value
  bool operator==(const Map&) const = default;
};

// {H,W,C} or {D}. Throws Error(usage) for other ranks, which this engine does not run.
Map map_of(const Shape& shape);

int64_t padded_channels(int64_t channels);

// One sample, blocked to H W C and back; padding is written as zeros.
void unblock(const Map& map, const float* blocked, float* plain);
void block(const Map& map, const float* plain, float* blocked);

}  // namespace lepton::cpu
