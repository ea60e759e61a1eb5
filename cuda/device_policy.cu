#include "cuda/device_policy.h"

#include "base/error.h"
#include "base/text.h"

namespace lepton::cuda {
namespace {

constexpr size_t kBlasWork = size_t{32} << 20;  // NVIDIA's advice for Hopper; a fixed one makes cuBLAS repeat

cublasOperation_t operation(bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; }

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) fail(Exit::device, "cuda: {}: {}", what, cudaGetErrorString(status));
}

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) fail(Exit::device, "cuda: {}: {}", what, cublasGetStatusString(status));
}

DevicePolicy::DevicePolicy(int card) : card_(card) {
  enter();
  cudaDeviceProp card_is{};
  check(cudaGetDeviceProperties(&card_is, card), "reading the card's properties");
  description_ = fmt::format("cuda: {}, compute capability {}.{}", card_is.name, card_is.major, card_is.minor);
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
  check(cublasCreate(&blas_), "starting cuBLAS");
  blas_work_ = allocate(kBlasWork);
  check(cublasSetStream(blas_, stream_), "giving cuBLAS its stream");
  check(cublasSetWorkspace(blas_, blas_work_, kBlasWork), "giving cuBLAS its workspace");  // after the stream
  check(cublasSetMathMode(blas_, CUBLAS_DEFAULT_MATH), "choosing fp32");                   // no TF32
}

// Errors of a card that is lost have nowhere to go.
DevicePolicy::~DevicePolicy() {
  cudaSetDevice(card_);
  if (stream_ != nullptr) cudaStreamSynchronize(stream_);
  if (blas_ != nullptr) cublasDestroy(blas_);
  if (blas_work_ != nullptr) cudaFree(blas_work_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

void* DevicePolicy::allocate(int64_t bytes) {
  enter();
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, static_cast<size_t>(bytes));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // else the next call reports it again
    size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    fail(Exit::device, "cuda: out of memory: {} wanted, {} of {} free; lower --batch", human_bytes(bytes),
         human_bytes(static_cast<int64_t>(free)), human_bytes(static_cast<int64_t>(total)));
  }
  check(status, "allocating memory");
  return data;
}

// Called by destructors: see ~DevicePolicy. cudaFree waits for work under way.
void DevicePolicy::release(void* data) {
  cudaSetDevice(card_);
  cudaFree(data);
}

// From pageable memory this returns once `from` has been read.
void DevicePolicy::upload(void* to, const void* from, int64_t bytes) {
  enter();
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream_), "copying to the card");
}

void DevicePolicy::download(void* to, const void* from, int64_t bytes) {
  enter();
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, stream_),
        "copying from the card");
  finish();
}

void DevicePolicy::zero(void* data, int64_t bytes) {
  enter();
  check(cudaMemsetAsync(data, 0, static_cast<size_t>(bytes), stream_), "clearing memory");
}

void DevicePolicy::gemm(const Gemm& g) {
  enter();
  const cublasOperation_t a = operation(g.transpose_a), b = operation(g.transpose_b);
  if (g.batch == 1) {
    return check(cublasSgemm_64(blas_, a, b, g.m, g.n, g.k, &g.alpha, g.a, g.lda, g.b, g.ldb, &g.beta, g.c, g.ldc),
                 "multiplying matrices");
  }
  check(cublasSgemmStridedBatched_64(blas_, a, b, g.m, g.n, g.k, &g.alpha, g.a, g.lda, g.stride_a, g.b, g.ldb,
                                     g.stride_b, &g.beta, g.c, g.ldc, g.stride_c, g.batch),
        "multiplying matrices");
}

void DevicePolicy::finish() {
  enter();
  check(cudaStreamSynchronize(stream_), "waiting for the card");
}

}  // namespace lepton::cuda
