// The engines of this library.
#include "engine/engine_testing.h"

namespace lepton {

const std::vector<std::string>& test_devices() {
  static const std::vector<std::string> devices = {"reference", "cpu"};
  return devices;
}

std::unique_ptr<Engine> compile_tested(const Graph& graph, const std::string& device, const EngineOptions& options) {
  return compile(graph, device, options);
}

}  // namespace lepton
