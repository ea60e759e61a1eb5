#pragma once
// Winograd's convolution F(4x4, 3x3) (Lavin and Gray 2016) on the blocked layout, a quarter of the
// multiplications, transforms and products of a group of tiles staying in cache. Unlike oneDNN's, every output is
// computed by the same operations in the same order whatever the batch, so that answers do not depend on it.
#include <cstdint>
#include <span>
#include <vector>

#include "base/bf16.h"
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
  // Of the data gradient, which is the convolution of the outputs' gradient with the turned kernel.
  WinogradShape turned() const { return {conv, in, 2 - pad_top, 2 - pad_left}; }
};

// Whether a convolution can gain by it: 3x3, stride 1, enough channels for the transforms to pay.
bool fused_winograd_pays(const ConvSpec& spec);

// Whether inference computes it so. Not in fp32 with a large kernel for one tile a sample: one image would wait for 36
// numbers of memory where a direct convolution reads 9.
bool winograd_answers(const ConvSpec& spec);

// Whether training computes all three passes of a convolution so. In fp32 oneDNN's Winograd is as fast with larger
// kernels; in bf16 it has none.
bool own_winograd_trains(const ConvSpec& spec);

// What follows is there for T = P = float, T = float with P = Bf16 and T = P = Bf16: maps are stored as T, V and U
// multiplied as P, which takes a processor with AVX-512 and bf16.

// U = G g G^T of a kernel HWIO [3,3,inputs,outputs], in the order in which products read it: [36][group of 4 blocks]
// [inputs / steps][outputs of the group][steps], channels padded with zeros; steps: 1, of Bf16 2.
template <class P>
std::vector<P> pack_winograd(std::span<const float> kernel, int64_t inputs, int64_t outputs);

// Elements of it.
int64_t winograd_kernel_size(int64_t inputs, int64_t outputs);

// Floats that winograd() works in.
template <class P>
int64_t winograd_scratch(const WinogradShape& shape, int64_t batch, int threads);

// The first n samples of y = pool(act(conv(x) + bias)), with a pool only none or ReLU; packed and bias from padded
// channels.
template <class T, class P>
void winograd(const WinogradShape& shape, int64_t n, const T* x, const P* packed, const float* bias, Act act, T* y,
              float* scratch, int threads);

// Training. How it keeps a kernel: in oneDNN's blocks (OIhw16i16o) of padded channels.
Packing winograd_packing(int64_t inputs, int64_t outputs);

// Packs such a kernel for winograd(), or, turned, that which makes
// winograd() on shape.turned() the data gradient: dx from dy.
template <class P>
void winograd_kernel(const float* kernel, int64_t inputs, int64_t outputs, bool turned, P* packed);

template <class P>
int64_t winograd_gradient_scratch(const WinogradShape& shape, int64_t batch, int threads);

// The kernel's gradient: the adjoint of winograd() in its kernel. With several threads the tiles are shared out, so
// that their number decides the order of sums.
template <class T, class P>
void winograd_gradient(const WinogradShape& shape, int64_t n, const T* x, const T* dy, float* dkernel, float* scratch,
                       int threads);

}  // namespace lepton::cpu
