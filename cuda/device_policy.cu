#include "cuda/device_policy.h"

#include "base/error.h"
#include "base/text.h"
#include "cuda/epilogue.h"

namespace lepton::cuda {
namespace {

constexpr size_t kProductsWork = size_t{32} << 20;  // NVIDIA's advice for Hopper

}  // namespace

DevicePolicy::DevicePolicy(int card, bool records) : card_(card), records_work_(records) {
  enter();
  cudaDeviceProp card_is{};
  check(cudaGetDeviceProperties(&card_is, card), "reading the card's properties");
  description_ = fmt::format("cuda: {}, compute capability {}.{}", card_is.name, card_is.major, card_is.minor);
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
  check(cudaStreamCreateWithFlags(&uploads_, cudaStreamNonBlocking), "creating a stream");
  check(cudaEventCreateWithFlags(&uploaded_, cudaEventDisableTiming), "creating an event");
  products_work_ = allocate(kProductsWork);
  products_.start(products_work_, kProductsWork);
}

// Errors of a card that is lost have nowhere to go.
DevicePolicy::~DevicePolicy() {
  cudaSetDevice(card_);
  for (cudaStream_t each : {stream_, uploads_}) {
    if (each != nullptr) cudaStreamSynchronize(each);
  }
  for (cudaGraphExec_t each : graphs_) cudaGraphExecDestroy(each);
  if (products_work_ != nullptr) cudaFree(products_work_);
  if (uploaded_ != nullptr) cudaEventDestroy(uploaded_);
  for (cudaStream_t each : {stream_, uploads_}) {
    if (each != nullptr) cudaStreamDestroy(each);
  }
}

void* DevicePolicy::allocate(int64_t bytes) {
  enter();
  budget.take(bytes);
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, static_cast<size_t>(bytes));
  if (status != cudaSuccess) budget.give_back(bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // else the next call reports it again
    size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    fail(Exit::device, "cuda: out of memory: {} wanted, {} of {} free; lower --batch", human_bytes(bytes),
         human_bytes(static_cast<int64_t>(free)), human_bytes(static_cast<int64_t>(total)));
  }
  check(status, "allocating memory");
  bytes_[data] = bytes;
  return data;
}

// Called by destructors: see ~DevicePolicy. cudaFree waits for work under way.
void DevicePolicy::release(void* data) {
  cudaSetDevice(card_);
  cudaFree(data);
  budget.give_back(bytes_[data]);
  bytes_.erase(data);
}

int64_t DevicePolicy::free_bytes() const {
  enter();
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for free memory");
  return static_cast<int64_t>(free);
}

void* DevicePolicy::allocate_pinned(int64_t bytes) {
  enter();
  void* data = nullptr;
  check(cudaMallocHost(&data, static_cast<size_t>(bytes)), "allocating pinned memory");
  return data;
}

// Called by destructors, as release() is.
void DevicePolicy::release_pinned(void* data) {
  cudaSetDevice(card_);
  cudaStreamSynchronize(uploads_);
  cudaFreeHost(data);
}

void DevicePolicy::upload_beside(void* to, const void* from, int64_t bytes) {
  enter();
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, uploads_), "copying to the card");
}

void DevicePolicy::join() {
  enter();
  check(cudaEventRecord(uploaded_, uploads_), "marking the end of a copy");
  check(cudaStreamWaitEvent(stream_, uploaded_, 0), "waiting for a copy");
}

void DevicePolicy::finish_uploads() {
  enter();
  check(cudaStreamSynchronize(uploads_), "waiting for a copy");
}

int DevicePolicy::record(const std::function<void()>& work) {
  enter();
  cudaGraph_t graph = nullptr;
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "recording a step");
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream_, &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    throw;
  }
  check(cudaStreamEndCapture(stream_, &graph), "recording a step");
  cudaGraphExec_t ready = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&ready, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "recording a step");
  graphs_.push_back(ready);
  return static_cast<int>(graphs_.size()) - 1;
}

void DevicePolicy::replay(int record) {
  enter();
  check(cudaGraphLaunch(graphs_.at(static_cast<size_t>(record)), stream_), "replaying a step");
}

void DevicePolicy::forget_records() {
  enter();
  finish();
  for (cudaGraphExec_t each : graphs_) check(cudaGraphExecDestroy(each), "forgetting a step");
  graphs_.clear();
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
