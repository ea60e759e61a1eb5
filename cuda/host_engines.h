#pragma once
// The engines over the host policy, compiled in tested_engines_test.cpp alone.
#include "cuda/cuda_engine.h"
#include "cuda/host_policy.h"

namespace lepton::cuda {

using HostPolicyPtr = std::shared_ptr<HostPolicy>;

extern template std::unique_ptr<Engine> engine_of<HostPolicy, float>(HostPolicyPtr, const Graph&, const EngineOptions&);
extern template std::unique_ptr<Engine> engine_of<HostPolicy, Bf16>(HostPolicyPtr, const Graph&, const EngineOptions&);
extern template std::unique_ptr<Engine> engine_of<HostPolicy, Half>(HostPolicyPtr, const Graph&, const EngineOptions&);

}  // namespace lepton::cuda
