#pragma once
// The CUDA engine stands in a module of its own, lepton-cuda.so, opened when it is asked for: programs start fast and
// run where no GPU is. C++ types cross this border, so module and program must be of one build.
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace lepton {

struct CudaModule {
  const char* build;                     // kCudaModuleBuild of the module
  std::vector<DeviceInfo> (*devices)();  // throws Error(device) when there is no card
  std::unique_ptr<Engine> (*compile)(const Graph& graph, int card, const EngineOptions& options);
};

// Changes with whatever crosses the border.
constexpr const char* kCudaModuleBuild = "lepton-cuda 3";
// The module's one symbol: const CudaModule* lepton_cuda_module().
constexpr const char* kCudaModuleEntry = "lepton_cuda_module";

// Opens the module, once. Throws Error(device) that says what is missing: module, driver or library.
const CudaModule& cuda_module();

// device: "cuda" or "cuda:N".
std::unique_ptr<Engine> compile_cuda(const Graph& graph, std::string_view device, const EngineOptions& options);

}  // namespace lepton
