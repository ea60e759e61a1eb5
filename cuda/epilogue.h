#pragma once
// The ways round what cublasLt has no product for. What a product does besides: its epilogues, one element each; and
// the products of a batch one by one.
#include "base/hd.h"
#include "cuda/policy.h"

namespace lepton::cuda {

// C [m, n] plus bias [m], and relu.
template <class T>
struct BiasEpilogue {
  int64_t m, ldc;
  const T* bias;
  T* c;
  bool relu;

  LEPTON_HD void operator()(int64_t i) const {
    T& to = c[i / m * ldc + i % m];
    const float v = static_cast<float>(to) + static_cast<float>(bias[i % m]);
    to = T(relu && !(v > 0) ? 0 : v);
  }
};

// sums[m] of A [m, k] over k.
template <class T>
struct SumsOfA {
  bool transpose;
  int64_t k, lda;
  const T* a;
  float* sums;

  LEPTON_HD void operator()(int64_t row) const {
    float total = 0;
    for (int64_t i = 0; i < k; ++i) total += static_cast<float>(transpose ? a[row * lda + i] : a[i * lda + row]);
    sums[row] = total;
  }
};

template <class P, class T>
void bias_epilogue(P& policy, const Gemm& g) {
  const auto* bias = static_cast<const T*>(g.bias);
  const bool relu = g.epilogue == Epilogue::relu_bias;
  for (int64_t which = 0; which < g.batch; ++which) {
    policy.launch(g.m * g.n, BiasEpilogue<T>{g.m, g.ldc, bias, static_cast<T*>(g.c) + which * g.stride_c, relu});
  }
}

template <class P, class T>
void sums_of_a(P& policy, const Gemm& g) {
  policy.launch(g.m, SumsOfA<T>{g.transpose_a, g.k, g.lda, static_cast<const T*>(g.a), g.sums});
}

// Product `which` of g's batch.
inline Gemm one_of(const Gemm& g, int64_t which) {
  const auto moved = [which](const void* data, int64_t stride, Type type) -> const void* {
    return data == nullptr ? nullptr : static_cast<const char*>(data) + which * stride * size_of(type);
  };
  Gemm one = g;
  one.batch = 1;
  one.a = moved(g.a, g.stride_a, g.in);
  one.b = moved(g.b, g.stride_b, g.in);
  one.c = static_cast<char*>(g.c) + which * g.stride_c * size_of(g.out);
  one.source = moved(g.source, g.stride_c, g.out);
  return one;
}

// g's epilogue, after its product without one.
template <class P>
void apply_epilogue(P& policy, const Gemm& g) {
  const bool sums = g.epilogue == Epilogue::sums_of_a;
  switch (sums ? g.in : g.out) {
    case Type::fp32:
      return sums ? sums_of_a<P, float>(policy, g) : bias_epilogue<P, float>(policy, g);
    case Type::bf16:
      return sums ? sums_of_a<P, Bf16>(policy, g) : bias_epilogue<P, Bf16>(policy, g);
    case Type::fp16:
      return sums ? sums_of_a<P, Half>(policy, g) : bias_epilogue<P, Half>(policy, g);
  }
}

}  // namespace lepton::cuda
