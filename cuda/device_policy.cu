#include "cuda/device_policy.h"

#include "base/error.h"
#include "base/text.h"
#include "cuda/epilogue.h"

namespace lepton::cuda {
namespace {

constexpr size_t kProductsWork = size_t{32} << 20;  // NVIDIA's advice for Hopper

}  // namespace

DevicePolicy::DevicePolicy(int card) : card_(card) {
  enter();
  cudaDeviceProp card_is{};
  check(cudaGetDeviceProperties(&card_is, card), "reading the card's properties");
  description_ = fmt::format("cuda: {}, compute capability {}.{}", card_is.name, card_is.major, card_is.minor);
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
  products_work_ = allocate(kProductsWork);
  products_.start(products_work_, kProductsWork);
}

// Errors of a card that is lost have nowhere to go.
DevicePolicy::~DevicePolicy() {
  cudaSetDevice(card_);
  if (stream_ != nullptr) cudaStreamSynchronize(stream_);
  if (products_work_ != nullptr) cudaFree(products_work_);
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
  if (products_.run(g, stream_)) return;
  if (g.epilogue != Epilogue::none) {
    Gemm plain = g;
    plain.epilogue = Epilogue::none;
    gemm(plain);
    return apply_epilogue(*this, g);
  }
  for (int64_t which = 0; which < g.batch; ++which) gemm(one_of(g, which));
}

void DevicePolicy::finish() {
  enter();
  check(cudaStreamSynchronize(stream_), "waiting for the card");
}

}  // namespace lepton::cuda
