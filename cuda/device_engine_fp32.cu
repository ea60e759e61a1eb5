#include "cuda/device_engines.h"

namespace lepton::cuda {

template std::unique_ptr<Engine> engine_of<DevicePolicy, float>(DevicePolicyPtr, const Graph&, const EngineOptions&);

}  // namespace lepton::cuda
