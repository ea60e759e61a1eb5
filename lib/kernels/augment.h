#pragma once
// From stored values to what the first layer reads: augmentation (base/batch.h says what its numbers mean) and
// normalisation.
#include <cstdint>

#include "base/batch.h"
#include "base/hd.h"
#include "base/random.h"

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

// Random numbers, uniform with mean 0 and deviation 1: the same on every device to the last bit. Number i of `key` is
// the (i % 4)th of draw i / 4.
LEPTON_HD Random4 noise_draw(uint64_t key, uint64_t quad) { return random4(key, Stream::augment, 1, quad); }
LEPTON_HD float noise_of(const Random4& draw, int64_t which) {
  constexpr float kWidth = 3.46410161513775458705F;  // sqrt(12)
  return (uniform(draw.v[which]) - 0.5F) * kWidth;
}

// One value of the network's input, gathered from frames [count, bands].
template <class T>
struct InputFrame {
  int64_t count, bands;

  // Mean and std are the band's. What is masked or comes from outside is the mean, i.e. 0.
  LEPTON_HD T operator()(const float* frames, const Augment& a, int64_t t, int64_t band, T mean, T std) const {
    if (masked(a, t, band)) return 0;
    const int64_t from = t + a.dy;
    T value = 0;
    if (from >= 0 && from < count) value = normalized(static_cast<T>(frames[from * bands + band]), mean, std);
    const int64_t place = t * bands + band;
    if (a.noise != 0) {
      value += static_cast<T>(a.noise * noise_of(noise_draw(a.key, static_cast<uint64_t>(place / 4)), place % 4));
    }
    return value;
  }
  LEPTON_HD static bool masked(const Augment& a, int64_t t, int64_t band) {
    return (t >= a.cut_y && t < a.cut_y + a.cut_h) || (band >= a.cut_x && band < a.cut_x + a.cut_w);
  }
};

}  // namespace lepton::kernels
