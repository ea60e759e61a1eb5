#include "base/error.h"
#include "engine/engine.h"

namespace lepton {

std::unique_ptr<Engine> compile(const Graph& graph, std::string_view device, const EngineOptions& options,
                                Communicator* communicator) {
  if (device == "cpu" || device == "auto") return compile_cpu(graph, options, communicator);
  fail(Exit::device, "no device `{}`; there is cpu", device);
}

ParameterSet answering_parameters(const ParameterSet& saved) {
  ParameterSet answering;
  for (const NamedTensor& tensor : saved.tensors) {
    if (tensor.name.find('.') != std::string::npos) continue;  // optimiser state
    const NamedTensor* average = saved.find(tensor.name + ".ema");
    answering.tensors.push_back({tensor.name, tensor.shape, average == nullptr ? tensor.values : average->values});
  }
  return answering;
}

}  // namespace lepton
