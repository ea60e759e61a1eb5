#pragma once
// The hot element-wise loops, compiled once for each instruction set and chosen by what oneDNN uses.
// A row is `count` pixels of one channel block: count x lanes contiguous floats. Per-channel arguments hold `lanes`
// numbers. Nothing here is parallel; callers spread rows over threads.
#include <cstdint>

namespace lepton::cpu {

enum class Act { none, relu, gelu, silu };

// One window's geometry: pooling of an h x w map with windows of kh x kw.
struct PoolShape {
  int64_t h, w, out_h, out_w, kh, kw, sh, sw, pad_h, pad_w;
};

struct Simd {
  int lanes;  // channels in a block
  const char* name;

  // sum += x - shift, square += (x - shift)^2.
  void (*stats)(const float* x, int64_t count, const float* shift, double* sum, double* square);
  // sum += x.
  void (*sum)(const float* x, int64_t count, double* sum);
  // y = act(x * scale + shift) + skip; skip may be null.
  void (*affine)(const float* x, const float* skip, float* y, int64_t count, const float* scale, const float* shift,
                 Act act);
  // dz = (dy + dy2) * act'(x * scale + shift); sum += dz, product += dz * (x - mean). dy2 may be null.
  void (*affine_reduce)(const float* x, const float* dy, const float* dy2, int64_t count, const float* scale,
                        const float* shift, const float* mean, Act act, double* sum, double* product);
  // dx = a * dz + b * x + c with dz as above.
  void (*affine_backward)(const float* x, const float* dy, const float* dy2, float* dx, int64_t count,
                          const float* scale, const float* shift, const float* a, const float* b, const float* c,
                          Act act);
  // y = act(x);  dx = dy * act'(x). For relu x may be the input or the output.
  void (*activate)(const float* x, float* y, int64_t count, Act act);
  void (*activate_backward)(const float* x, const float* dy, float* dx, int64_t count, Act act);
  // y = a + b;  y = x * factor.
  void (*add)(const float* a, const float* b, float* y, int64_t count);
  void (*scale)(const float* x, float* y, int64_t count, float factor);
  // One channel block of one sample. index: place of the first largest value in its map, one number a lane.
  void (*maxpool)(const float* x, float* y, int32_t* index, const PoolShape& p);
  // Spreads dy; with relu_output, only where that (the pooled values behind a ReLU) is positive.
  void (*maxpool_backward)(const float* dy, const float* relu_output, const int32_t* index, float* dx,
                           const PoolShape& p);
  void (*avgpool)(const float* x, float* y, const PoolShape& p);
  void (*avgpool_backward)(const float* dy, float* dx, const PoolShape& p);

  // y = bias + x w for the outputs [first, last) of all rows; x [rows, inputs], w [inputs, outputs], outputs, first and
  // last multiples of lanes. A row's result does not depend on how many rows there are, nor on first where that is a
  // multiple of 2 lanes.
  void (*dense)(const float* x, const float* w, const float* bias, float* y, int64_t rows, int64_t inputs,
                int64_t outputs, int64_t first, int64_t last);

  // Optimisers, on count x lanes consecutive numbers. PyTorch's SGD: d = g * factor + decay * w;
  // m = momentum * m + d; w -= rate * (nesterov ? d + momentum * m : m).
  void (*sgd)(float* w, const float* g, float* m, int64_t count, float rate, float decay, float momentum, bool nesterov,
              float factor);
  // Decoupled weight decay (Loshchilov and Hutter 2019); c1 and c2 are the bias corrections 1 - beta^t.
  void (*adamw)(float* w, const float* g, float* m, float* v, int64_t count, float rate, float decay, float beta1,
                float beta2, float epsilon, float c1, float c2, float factor);
  // average = decay * average + (1 - decay) * w.
  void (*average)(float* average, const float* w, int64_t count, float decay);
  double (*square_sum)(const float* x, int64_t count);
};

// The set that fits dnnl's effective instruction set; fixed for the life of the process.
const Simd& simd();

bool has_bf16();  // instructions for it, and blocks of 16 lanes

extern const Simd kSimdAvx512, kSimdAvx2, kSimdSse;

}  // namespace lepton::cpu
