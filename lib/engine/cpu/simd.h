#pragma once
// The hot element-wise loops, compiled once for each instruction set and chosen by what oneDNN uses.
// A row is `count` pixels of one channel block: count x lanes contiguous numbers, on a boundary of as many bytes as
// lanes of them take. Per-channel arguments hold `lanes` numbers. Nothing here is parallel; callers spread rows over
// threads.
#include <cstdint>

#include "base/bf16.h"

namespace lepton::cpu {

enum class Act { none, relu, gelu, silu };

// One window's geometry: pooling of an h x w map with windows of kh x kw.
struct PoolShape {
  int64_t h, w, out_h, out_w, kh, kw, sh, sw, pad_h, pad_w;
};

// Rows of T, added up and computed with in float.
template <class T>
struct Rows {
  // sum += x - shift, square += (x - shift)^2.
  void (*stats)(const T* x, int64_t count, const float* shift, double* sum, double* square);
  // sum += x.
  void (*sum)(const T* x, int64_t count, double* sum);
  // y = act(x * scale + shift) + skip; skip may be null.
  void (*affine)(const T* x, const T* skip, T* y, int64_t count, const float* scale, const float* shift, Act act);
  // dz = (dy + dy2) * act'(x * scale + shift); sum += dz, product += dz * (x - mean). dy2 may be null.
  void (*affine_reduce)(const T* x, const T* dy, const T* dy2, int64_t count, const float* scale, const float* shift,
                        const float* mean, Act act, double* sum, double* product);
  // dx = a * dz + b * x + c with dz as above.
  void (*affine_backward)(const T* x, const T* dy, const T* dy2, T* dx, int64_t count, const float* scale,
                          const float* shift, const float* a, const float* b, const float* c, Act act);
  // y = act(x);  dx = dy * act'(x). For relu x may be the input or the output.
  void (*activate)(const T* x, T* y, int64_t count, Act act);
  void (*activate_backward)(const T* x, const T* dy, T* dx, int64_t count, Act act);
  // y = a + b;  y = x * factor.
  void (*add)(const T* a, const T* b, T* y, int64_t count);
  void (*scale)(const T* x, T* y, int64_t count, float factor);
  // One channel block of one sample. index: place of the first largest value in its map, one number a lane.
  void (*maxpool)(const T* x, T* y, int32_t* index, const PoolShape& p);
  // Spreads dy; with relu_output, only where that (the pooled values behind a ReLU) is positive.
  void (*maxpool_backward)(const T* dy, const T* relu_output, const int32_t* index, T* dx, const PoolShape& p);
  void (*avgpool)(const T* x, T* y, const PoolShape& p);
  void (*avgpool_backward)(const T* dy, T* dx, const PoolShape& p);
  void (*to_float)(const T* x, float* y, int64_t count);
  void (*from_float)(const float* x, T* y, int64_t count);
};

struct Simd : Rows<float> {
  int lanes;  // channels in a block
  const char* name;

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

extern const Simd kSimdAvx512, kSimdAvx2, kSimdSse;

// Blocks of 16 lanes, for processors with instructions for bf16.
extern const Rows<Bf16> kRowsBf16;
bool has_bf16();
bool has_vnni();  // instructions for products of bytes
inline constexpr const char* kNoBf16 = "this processor has no instructions for bf16; it computes in fp32";

template <class T>
const Rows<T>& rows_of() {
  return simd();
}
template <>
inline const Rows<Bf16>& rows_of<Bf16>() {
  return kRowsBf16;
}

}  // namespace lepton::cpu
