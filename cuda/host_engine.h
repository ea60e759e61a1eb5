#pragma once
// The CUDA engine over its host policy, compiled once for all tests.
#include <memory>

#include "cuda/host_policy.h"
#include "engine/engine.h"

namespace lepton::cuda {

std::unique_ptr<Engine> make_host_engine(std::unique_ptr<HostPolicy> policy, const Graph& graph,
                                         const EngineOptions& options);

}  // namespace lepton::cuda
