#pragma once
// The engine's device on a GPU. Only .cu files include this; nothing else in cuda/ calls CUDA.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "cuda/budget.h"
#include "cuda/device_products.h"
#include "cuda/policy.h"

namespace lepton::cuda {

// The one kernel: f(i) for each i < n.
template <class F>
__global__ void __launch_bounds__(256) over(int64_t n, F f) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) f(i);
}

class DevicePolicy {
 public:
  explicit DevicePolicy(int card, bool records = true);
  DevicePolicy(const DevicePolicy&) = delete;
  DevicePolicy& operator=(const DevicePolicy&) = delete;
  ~DevicePolicy();

  void* allocate(int64_t bytes);
  void release(void* data);
  void upload(void* to, const void* from, int64_t bytes);
  void download(void* to, const void* from, int64_t bytes);
  void zero(void* data, int64_t bytes);
  void gemm(const Gemm& g);
  void finish();
  std::string describe() const { return description_; }

  Budget budget;
  int64_t free_bytes() const;

  void* allocate_pinned(int64_t bytes);
  void release_pinned(void* data);
  void upload_beside(void* to, const void* from, int64_t bytes);
  void join();
  void finish_uploads();

  bool records() const { return records_work_; }
  int record(const std::function<void()>& work);
  void replay(int record);
  void forget_records();

  template <class F>
  void launch(int64_t n, F f) {
    static_assert(std::is_trivially_copyable_v<F>);
    if (n < 1) return;
    enter();
    constexpr int64_t kThreads = 256, kMostBlocks = 1 << 20;
    const auto blocks = static_cast<unsigned>(std::min((n + kThreads - 1) / kThreads, kMostBlocks));
    void* arguments[] = {&n, &f};
    check(cudaLaunchKernel(over<F>, dim3(blocks), dim3(kThreads), arguments, 0, stream_), "starting a kernel");
  }

 private:
  void enter() const { check(cudaSetDevice(card_), "choosing the card"); }  // CUDA keeps it by thread

  int card_;
  bool records_work_;
  cudaStream_t stream_ = nullptr, uploads_ = nullptr;
  cudaEvent_t uploaded_ = nullptr;
  std::unordered_map<void*, int64_t> bytes_;  // of each allocation
  std::vector<cudaGraphExec_t> graphs_;       // records
  DeviceProducts products_;
  void* products_work_ = nullptr;
  std::string description_;
};

}  // namespace lepton::cuda
