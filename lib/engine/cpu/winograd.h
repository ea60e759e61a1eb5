#pragma once
// Winograd's convolution F(4x4, 3x3) (Lavin and Gray 2016) on the blocked layout, for inference: a quarter of the
// multiplications, transforms and products of a group of tiles staying in cache. Unlike oneDNN's, every output is
// computed by the same operations in the same order whatever the batch, so that answers do not depend on it.
#include <cstdint>
#include <span>
#include <vector>

#include "engine/cpu/conv.h"
#include "engine/cpu/simd.h"

namespace lepton::cpu {

// The maps of one convolution, and its tiles of 4x4 outputs.
struct WinogradShape {
  Map in, conv;  // input; output of the convolution
  int64_t pad_top, pad_left;
  bool pool = false;  // a maxpool of 2x2, stride 2, is computed with it
  Map out() const { return pool ? Map{conv.h / 2, conv.w / 2, conv.c} : conv; }
  int64_t rows() const { return (conv.h + 3) / 4; }
  int64_t columns() const { return (conv.w + 3) / 4; }
  int64_t tiles() const { return rows() * columns(); }  // of one sample
};

// The loops, compiled once for each instruction set. One of 36 matrices V, U, M stands at a distance of `stride` floats
// from the next.
struct WinogradLoops {
  // One tile of one channel block: V = B^T d B, one vector to each matrix.
  void (*input)(const float* x, const WinogradShape& shape, int64_t row, int64_t column, float* v, int64_t stride);
  // m = v u: v [tiles, inputs], m [tiles, outputs], u packed by pack_winograd; the groups [first, last) of 4 blocks of
  // outputs.
  void (*product)(const float* v, const float* u, float* m, int64_t tiles, int64_t inputs, int64_t outputs,
                  int64_t first, int64_t last);
  // One tile of one channel block: y = pool(act(A^T M A + bias)); only ReLU is applied here.
  void (*output)(const float* m, int64_t stride, const float* bias, Act act, float* y, const WinogradShape& shape,
                 int64_t row, int64_t column);
};
extern const WinogradLoops kWinogradAvx512, kWinogradAvx2;

// Whether this convolution is computed so: 3x3, stride 1, enough channels for the transforms to pay, and few enough
// that its 36 matrices are read from cache.
bool fused_winograd_pays(const ConvSpec& spec);

// U = G g G^T of a kernel HWIO [3,3,inputs,outputs], in the order in which product() reads it: [36][group of 4 blocks]
// [inputs][outputs of the group], channels padded with zeros.
std::vector<float> pack_winograd(std::span<const float> kernel, int64_t inputs, int64_t outputs);

// Floats that winograd() works in.
int64_t winograd_scratch(const WinogradShape& shape, int64_t batch, int threads);

// The first n samples of y = pool(act(conv(x) + bias)), with a pool only none or ReLU; packed and bias from padded
// channels.
void winograd(const WinogradShape& shape, int64_t n, const float* x, const float* packed, const float* bias, Act act,
              float* y, float* scratch, int threads);

}  // namespace lepton::cpu
