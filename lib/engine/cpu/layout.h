#pragma once
// The blocked layout every activation has from first to last layer: [n][channel block][h][w][lanes], channels padded
// with zeros (oneDNN's nChw16c or nChw8c). Rows {D} are maps of one pixel.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/bf16.h"
#include "base/shape.h"

namespace lepton::cpu {

// What the numbers of an activation are stored as.
enum class Element { fp32, bf16 };
// Room for so many numbers, in floats.
constexpr int64_t floats_of(Element element, int64_t count) {
  return element == Element::fp32 ? count : (count + 1) / 2;
}
// f(T{}) for the type T of the numbers.
template <class F>
auto with_element(Element element, F f) {
  return element == Element::bf16 ? f(Bf16{}) : f(0.0F);
}

struct Map {
  int64_t h = 1, w = 1, c = 1;

  int64_t blocks() const;  // channel blocks
  int64_t pixels() const { return h * w; }
  int64_t plane() const;                                 // numbers of one channel block of one sample
  int64_t sample() const { return blocks() * plane(); }  // numbers of one sample, padding included
  int64_t place(int64_t pixel, int64_t channel) const;   // offset in a sample of one value
  bool operator==(const Map&) const = default;
};

// {H,W,C} or {D}. Throws Error(usage) for other ranks, which this engine does not run.
Map map_of(const Shape& shape);

int64_t padded_channels(int64_t channels);

// One sample, blocked to H W C and back; padding is written as zeros.
template <class T>
void unblock(const Map& map, const T* blocked, T* plain) {
  for (int64_t pixel = 0; pixel < map.pixels(); ++pixel) {
    for (int64_t c = 0; c < map.c; ++c) plain[pixel * map.c + c] = blocked[map.place(pixel, c)];
  }
}
template <class T>
void block(const Map& map, const T* plain, T* blocked) {
  std::fill_n(blocked, map.sample(), T{});
  for (int64_t pixel = 0; pixel < map.pixels(); ++pixel) {
    for (int64_t c = 0; c < map.c; ++c) blocked[map.place(pixel, c)] = plain[pixel * map.c + c];
  }
}

}  // namespace lepton::cpu
