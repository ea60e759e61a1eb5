#pragma once
// What the forward pass and the training passes of Winograd's convolution share.
#include <cstdint>
#include <type_traits>

#include "engine/cpu/winograd_loops.h"

namespace lepton::cpu {

constexpr int64_t kMatrices = 36, kVectors = 4;

template <class T, class P>
const WinogradLoops<T, P>& loops();

// Factors that a product multiplies and adds at once.
template <class P>
constexpr int64_t steps_of() {
  return std::is_same_v<P, Bf16> ? 2 : 1;
}

// A distance between matrices of at least `elements` that is an odd number of cache lines: 36 vectors at the same place
// of 36 matrices then meet in 36 sets of a cache, not in one.
template <class P>
constexpr int64_t apart(int64_t elements) {
  constexpr int64_t kLine = 64 / sizeof(P);
  return ((elements + kLine - 1) / kLine | 1) * kLine;
}

inline int64_t groups_of(int64_t outputs) { return (outputs / simd().lanes + kVectors - 1) / kVectors; }

// Of a tile numbered through all samples.
inline TilePlace place_of(const WinogradShape& shape, int64_t tile) {
  const int64_t place = tile % shape.tiles();
  return {tile / shape.tiles(), place / shape.columns(), place % shape.columns()};
}

// Asks for rows of so many pixels ahead of use: tiles are read and written in pieces too short for the processor to
// foresee the next.
template <int for_writing, class T>
void fetch_rows(const T* from, int64_t rows, int64_t pixels, int64_t pitch) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < pixels * simd().lanes; i += kLine) __builtin_prefetch(from + row * pitch + i, for_writing);
  }
}

}  // namespace lepton::cpu
