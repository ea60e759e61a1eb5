#pragma once
// What a product does besides: the epilogues of cublasLt, one element each, for products that cublasLt has none for.
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
