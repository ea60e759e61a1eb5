#include "engine/cuda_module.h"

#include <dlfcn.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace lepton {
namespace {

constexpr const char* kFile = "lepton-cuda.so";

// Beside the program, then where both are installed, under whatever prefix.
std::vector<std::filesystem::path> places() {
  std::error_code ignored;
  const std::filesystem::path bin = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  return {bin / kFile, (bin / LEPTON_MODULE_DIR / kFile).lexically_normal()};
}

std::filesystem::path module_file() {
  std::string tried;
  for (const std::filesystem::path& place : places()) {
    std::error_code ignored;
    if (std::filesystem::exists(place, ignored)) return place;
    tried += (tried.empty() ? "" : " or ") + place.parent_path().string();
  }
  fail(Exit::device, "cuda: the module {} is missing, it is not in {}; build it (LEPTON_CUDA=ON) or use --device cpu",
       kFile, tried);
}

const CudaModule& opened() {
  const std::string file = module_file().string();
  // Before the module, since that brings all of cuBLAS.
  if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    fail(Exit::device, "cuda: the NVIDIA driver is missing (no libcuda.so.1); use --device cpu");
  }
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail(Exit::device, "cuda: the module does not open: {}", dlerror());
  void* entry = dlsym(library, kCudaModuleEntry);
  if (entry == nullptr) fail(Exit::device, "cuda: {} is no module of ours", file);
  const CudaModule& module = *reinterpret_cast<const CudaModule* (*)()>(entry)();
  if (std::strcmp(module.build, kCudaModuleBuild) != 0) {
    fail(Exit::device, "cuda: {} is of another build than this program", file);
  }
  return module;
}

}  // namespace

const CudaModule& cuda_module() {
  static const CudaModule& module = opened();
  return module;
}

std::unique_ptr<Engine> compile_cuda(const Graph& graph, std::string_view device, const EngineOptions& options) {
  const std::string_view number = device.substr(std::min(device.size(), std::strlen("cuda:")));
  int card = 0;
  const auto [end, status] = std::from_chars(number.data(), number.data() + number.size(), card);
  const bool numbered = status == std::errc() && end == number.data() + number.size() && card >= 0;
  if (device != "cuda" && !(device.starts_with("cuda:") && numbered)) {
    fail(Exit::device, "no device `{}`; the first GPU is cuda or cuda:0, the next cuda:1", device);
  }
  return cuda_module().compile(graph, card, options);
}

}  // namespace lepton
