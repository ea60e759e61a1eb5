#pragma once
// The loops of Winograd's convolution, compiled once for each instruction set. T: what maps are stored as; P: what is
// multiplied. One of 36 matrices V, U, M stands at a distance of `stride` elements from the next.
#include <cstdint>

#include "base/bf16.h"
#include "engine/cpu/winograd.h"

namespace lepton::cpu {

// A tile among those of a batch; sample -1: none, all zeros.
struct TilePlace {
  int64_t sample, row, column;
};

template <class T, class P>
struct WinogradLoops {
  // One tile of one channel block: V = B^T d B, one vector to each matrix.
  void (*input)(const T* x, const WinogradShape& shape, int64_t row, int64_t column, P* v, int64_t stride);
  // m = v u for up to 4 blocks of outputs: v [tiles, inputs], u [inputs / steps][blocks][lanes][steps], m [tiles,
  // blocks * lanes]. Steps: 1, of Bf16 2.
  void (*product)(const P* v, const P* u, float* m, int64_t tiles, int64_t inputs, int blocks);
  // One tile of one channel block: y = pool(act(A^T M A + bias)); only ReLU is applied here.
  void (*output)(const float* m, int64_t stride, const float* bias, Act act, T* y, const WinogradShape& shape,
                 int64_t row, int64_t column);

  // Training's kernels are in oneDNN's blocks. U = G g G^T of the inputs [c, c + steps) and one block of outputs.
  void (*kernel)(const float* kernel, int64_t inputs, int64_t c, int64_t output_block, P* u, int64_t stride);
  // The same of the turned kernel that the data gradient takes: one block of inputs, which are its outputs, and one of
  // outputs; `row` elements from one `steps` outputs to the next.
  void (*turned_kernel)(const float* kernel, int64_t inputs, int64_t input_block, int64_t output_block, P* u,
                        int64_t row, int64_t stride);
  // V of `steps` tiles of one channel block, and the gradient A dy A^T of M: [lanes][steps] to each matrix.
  void (*input_steps)(const T* x, const WinogradShape& shape, const TilePlace* places, P* v, int64_t stride);
  void (*gradient_steps)(const T* dy, const WinogradShape& shape, const TilePlace* places, P* m, int64_t stride);
  // du = or += V^T M of one block of inputs and up to 4 of outputs: v [tiles / steps][lanes][steps], m [tiles / steps]
  // [blocks * lanes][steps], du [lanes] rows of `outputs`.
  void (*gradient_product)(const P* v, const P* m, float* du, int64_t tiles, int blocks, int64_t outputs, bool add);
  // Nine vectors of the kernel's gradient, G^T dU G, from the sum of `parts` dU at a distance of `part`.
  void (*kernel_gradient)(const float* du, int64_t stride, int64_t parts, int64_t part, float* to);
};

extern const WinogradLoops<float, float> kWinogradAvx512, kWinogradAvx2;
extern const WinogradLoops<float, Bf16> kWinogradBf16;
extern const WinogradLoops<Bf16, Bf16> kWinogradAllBf16;

}  // namespace lepton::cpu
