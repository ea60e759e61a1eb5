#pragma once
// A network's first convolution, 3x3 over one or three channels, with the activation and the 2x2 maxpool behind it, for
// inference: so few channels make a convolution of little work for much output, which here is pooled in registers and
// never written in full. Each output is the same sum in the same order whatever the batch.
#include <cstdint>
#include <span>
#include <vector>

#include "engine/cpu/conv.h"
#include "engine/cpu/simd.h"

namespace lepton::cpu {

// Rows and columns of outputs, before pooling, that the loops compute at once; a band is copied with its zeros.
constexpr int64_t kFirstRows = 2, kFirstColumns = 4, kFirstBand = 16;

struct FirstConvShape {
  Map in, conv;  // input; output of the convolution
  int64_t pad_top, pad_left;
  bool pool;      // 2x2, stride 2
  int64_t pitch;  // floats of a row of a band

  Map out() const { return pool ? Map{conv.h / 2, conv.w / 2, conv.c} : conv; }
  int64_t bands() const { return (conv.h + kFirstBand - 1) / kFirstBand; }
  int64_t plane() const { return (kFirstBand + 2) * pitch; }  // floats of a channel of a band
};

// One channel block (or two) of a band: `rows` rows of outputs from x [channels][band + 2][pitch], weights
// [channels * 9][blocks * lanes]; y is the first block's row of the band, blocks stand `plane` floats apart.
struct FirstConvLoops {
  void (*band)(const float* x, const FirstConvShape& shape, int64_t rows, const float* weights, const float* bias,
               int blocks, bool relu, float* y, int64_t plane);
};
extern const FirstConvLoops kFirstConvAvx512, kFirstConvAvx2;

// Whether a convolution on the network's planar input is computed so.
bool first_conv_pays(const ConvSpec& spec);

FirstConvShape first_conv_shape(const ConvSpec& spec, bool pool);

// Kernel HWIO [3,3,inputs,outputs] as band() reads it: [pair of blocks][inputs * 9][lanes of the pair].
std::vector<float> pack_first_conv(std::span<const float> kernel, int64_t inputs, int64_t outputs);

// Floats that first_conv() works in.
int64_t first_conv_scratch(const FirstConvShape& shape, int threads);

// y of the first n samples, blocked; x planar [n][c][h][w].
void first_conv(const FirstConvShape& shape, int64_t n, const float* x, const float* packed, const float* bias, Act act,
                float* y, float* scratch, int threads);

}  // namespace lepton::cpu
