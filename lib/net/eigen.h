#pragma once
// Eigenvalues of small symmetric matrices.
#include <cstdint>
#include <span>
#include <vector>

namespace lepton {

// values[i] falling; vectors[i*n + j] is component j of the i-th eigenvector, of length 1.
struct Eigen {
  std::vector<double> values, vectors;
};

// Eigenvalues and eigenvectors of the symmetric matrix a [n,n], by cyclic Jacobi rotations (Golub and Van Loan, 8.5).
// Accurate to rounding; about 10 n^3 operations a sweep. Error(bug) if a is not n by n.
Eigen symmetric_eigen(std::span<const double> a, int64_t n);

}  // namespace lepton
