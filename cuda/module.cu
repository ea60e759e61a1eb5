// What lepton-cuda.so shows to the program that opens it.
#include <cstdlib>

#include "cuda/device_engines.h"
#include "engine/cuda_module.h"

namespace lepton::cuda {
namespace {

int cards() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count < 1) {
    fail(Exit::device, "cuda: no card to be had: {}; use --device cpu",
         status == cudaSuccess ? "the driver sees none" : cudaGetErrorString(status));
  }
  return count;
}

std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> found;
  int driver = 0;
  const int count = cards();
  check(cudaDriverGetVersion(&driver), "asking the driver its version");
  for (int card = 0; card < count; ++card) {
    cudaDeviceProp p{};
    check(cudaGetDeviceProperties(&p, card), "reading a card's properties");
    found.push_back({fmt::format("cuda:{}", card), p.name, static_cast<int64_t>(p.totalGlobalMem),
                     fmt::format("{}.{}", p.major, p.minor),
                     fmt::format("CUDA {}.{}", driver / 1000, driver % 1000 / 10)});
  }
  return found;
}

std::unique_ptr<Engine> compile(const Graph& graph, int card, const EngineOptions& options) {
  const int count = cards();
  const bool records = std::getenv("LEPTON_CUDA_PLAIN_STEPS") == nullptr;  // README.md: to compare
  if (card >= count) fail(Exit::device, "cuda: no card {}; the last one is {}", card, count - 1);
  return make_engine(std::make_unique<DevicePolicy>(card, records), graph, options);
}

constexpr CudaModule kModule{kCudaModuleBuild, devices, compile};

}  // namespace
}  // namespace lepton::cuda

extern "C" __attribute__((visibility("default"))) const lepton::CudaModule* lepton_cuda_module() {
  return &lepton::cuda::kModule;
}
