#pragma once
// From stored values to what the first layer reads: augmentation (base/batch.h says what its numbers mean) and
// normalisation.
#include <cstdint>

#include "base/batch.h"
#include "base/hd.h"

namespace lepton::kernels {

// Index within [0, size) by reflection that does not repeat the edge, as often as it takes.
LEPTON_HD int64_t reflect(int64_t i, int64_t size) {
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t inside = ((i % period) + period) % period;
  return inside < size ? inside : period - inside;
}

// x' = (x - mean) / std.
template <class T>
LEPTON_HD T normalized(T x, T mean, T std) {
  return (x - mean) / std;
}

// One value of the network's input, gathered from an image [height, width, channels].
template <class T>
struct InputPixel {
  int64_t height, width, channels;

  // Mean and std are the channel's. A cut-out pixel is the mean, i.e. 0.
  LEPTON_HD T operator()(const uint8_t* image, const Augment& a, int64_t y, int64_t x, int64_t c, T mean, T std) const {
    if (y >= a.cut_y && y < a.cut_y + a.cut_h && x >= a.cut_x && x < a.cut_x + a.cut_w) return 0;
    const int64_t from_y = reflect(y + a.dy, height);
    int64_t from_x = reflect(x + a.dx, width);
    if (a.flip) from_x = width - 1 - from_x;
    const T stored = static_cast<T>(image[(from_y * width + from_x) * channels + c]);
    const T toned = (stored - 128) * static_cast<T>(a.contrast) + 128 + static_cast<T>(a.brightness);
    return normalized(toned, mean, std);
  }
};

}  // namespace lepton::kernels
