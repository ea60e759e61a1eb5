#pragma once
// Matrix product through oneDNN, row-major: c = alpha op(a) op(b) + beta c, op(a) m x k, op(b) k x n, 'N' or 'T'.
#include <cstdint>

namespace lepton::cpu {

void gemm(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
          const float* b, int64_t ldb, float beta, float* c, int64_t ldc);

}  // namespace lepton::cpu
