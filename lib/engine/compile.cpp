#include "base/error.h"
#include "engine/engine.h"

namespace lepton {

std::unique_ptr<Engine> compile(const Graph& graph, std::string_view device, const EngineOptions& options,
                                Communicator* communicator) {
  if (device == "cpu" || device == "auto") return compile_cpu(graph, options, communicator);
  if (device == "reference") {
    if (communicator != nullptr && communicator->size() > 1) {
      fail(Exit::device, "reference: runs alone, not as one of {} ranks; use --device cpu", communicator->size());
    }
    return compile_reference(graph, options);
  }
  fail(Exit::device, "no device `{}`; there are cpu, reference and auto", device);
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
