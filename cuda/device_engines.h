#pragma once
// The engines of the module, each compiled in a file of its own.
#include "cuda/cuda_engine.h"
#include "cuda/device_policy.h"

namespace lepton::cuda {

using DevicePolicyPtr = std::shared_ptr<DevicePolicy>;

extern template std::unique_ptr<Engine> engine_of<DevicePolicy, float>(DevicePolicyPtr, const Graph&,
                                                                       const EngineOptions&);
extern template std::unique_ptr<Engine> engine_of<DevicePolicy, Bf16>(DevicePolicyPtr, const Graph&,
                                                                      const EngineOptions&);
extern template std::unique_ptr<Engine> engine_of<DevicePolicy, Half>(DevicePolicyPtr, const Graph&,
                                                                      const EngineOptions&);

}  // namespace lepton::cuda
