#include "base/error.h"
#include "engine/auto_device.h"
#include "engine/cuda_module.h"
#include "engine/engine.h"

namespace lepton {

namespace {

bool alone(const Communicator* communicator) { return communicator == nullptr || communicator->size() == 1; }

}  // namespace

std::unique_ptr<Engine> compile(const Graph& graph, std::string_view device, const EngineOptions& options,
                                Communicator* communicator) {
  if (device == "auto" && options.precision == Precision::int8) device = "cpu";
  if (device == "auto" && alone(communicator) && !gpus().empty()) {
    const auto on_gpu = [](const Graph& g, const EngineOptions& o) { return compile_cuda(g, "cuda", o); };
    const auto on_cpu = [](const Graph& g, const EngineOptions& o) { return compile_cpu(g, o, nullptr); };
    return auto_device().compile(graph, options, on_gpu, on_cpu);
  }
  if (device == "auto") device = "cpu";
  if (device == "cpu") return compile_cpu(graph, options, communicator);
  if (device != "reference" && !device.starts_with("cuda")) {
    fail(Exit::device, "no device `{}`; there are cpu, cuda, cuda:N, reference and auto", device);
  }
  if (!alone(communicator)) {
    fail(Exit::device, "{}: runs alone, not as one of {} ranks; use --device cpu", device, communicator->size());
  }
  return device == "reference" ? compile_reference(graph, options) : compile_cuda(graph, device, options);
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
