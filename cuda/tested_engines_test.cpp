// The engine tests of lib/engine on the CUDA engine with its host policy, and on a GPU where there is one.
#include "cuda/host_engines.h"
#include "engine/engine_testing.h"

namespace lepton::cuda {

template std::unique_ptr<Engine> engine_of<HostPolicy, float>(HostPolicyPtr, const Graph&, const EngineOptions&);
template std::unique_ptr<Engine> engine_of<HostPolicy, Bf16>(HostPolicyPtr, const Graph&, const EngineOptions&);
template std::unique_ptr<Engine> engine_of<HostPolicy, Half>(HostPolicyPtr, const Graph&, const EngineOptions&);

}  // namespace lepton::cuda

namespace lepton {

const std::vector<std::string>& test_devices() {
  static const std::vector<std::string> devices = [] {
    std::string missing;
    if (!gpus(&missing).empty()) return std::vector<std::string>{"cuda_host", "cuda"};
    std::cerr << "[  SKIPPED ] the device policy: " << missing << "\n";
    return std::vector<std::string>{"cuda_host"};
  }();
  return devices;
}

std::unique_ptr<Engine> compile_tested(const Graph& graph, const std::string& device, const EngineOptions& options) {
  if (device != "cuda_host") return compile(graph, device, options);
  return cuda::make_engine(std::make_unique<cuda::HostPolicy>(), graph, options);
}

}  // namespace lepton
