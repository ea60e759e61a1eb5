#pragma once
// Matrix products on a GPU, by cublasLt.
#include <cublasLt.h>
#include <cuda_runtime.h>

#include <array>
#include <map>

#include "cuda/policy.h"

namespace lepton::cuda {

// Throws Error(device) with what was being done.
void check(cudaError_t status, const char* what);
void check(cublasStatus_t status, const char* what);

// How each shape is computed is asked of cublasLt once, when it first comes, and kept: its first proposal, never by
// timing, so that runs repeat. Steps of one batch size therefore ask in the first step only.
class DeviceProducts {
 public:
  DeviceProducts() = default;
  DeviceProducts(const DeviceProducts&) = delete;
  DeviceProducts& operator=(const DeviceProducts&) = delete;
  ~DeviceProducts();

  // `work`: 256-byte aligned room for every product, on the card that is current.
  void start(void* work, size_t work_bytes);
  // False: cublasLt has nothing for this epilogue here.
  bool run(const Gemm& g, cudaStream_t stream);

 private:
  struct Product {
    cublasLtMatmulDesc_t description = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
    bool found = false;
  };
  using Key = std::array<int64_t, 21>;  // everything that decides the algorithm
  static Key key_of(const Gemm& g);
  Product& product_for(const Gemm& g);
  void choose(const Gemm& g, Product& product) const;

  cublasLtHandle_t handle_ = nullptr;
  void* work_ = nullptr;
  size_t work_bytes_ = 0;
  std::map<Key, Product> products_;
};

}  // namespace lepton::cuda
