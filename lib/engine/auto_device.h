#pragma once
// --device auto: the GPU where there is one and its first answers are those of the CPU.
#include <functional>
#include <memory>
#include <string>

#include "engine/engine.h"

namespace lepton {

// Puts the same few made-up samples through both engines, answers and (on training engines) two steps, and says in what
// they disagree; empty when they agree to the precision asked for. Both engines want load() afterwards.
// options: those `gpu` was compiled with.
std::string disagreement(const Graph& graph, const EngineOptions& options, Engine& gpu, Engine& cpu);

// All engines of a process are on one device: a GPU found wrong once is not asked again.
class AutoDevice {
 public:
  using Compile = std::function<std::unique_ptr<Engine>(const Graph&, const EngineOptions&)>;

  // `gpu`'s engine, or `cpu`'s where `gpu` throws Error(device) or its engine disagrees.
  std::unique_ptr<Engine> compile(const Graph& graph, const EngineOptions& options, const Compile& gpu,
                                  const Compile& cpu);
  // Why the GPU that there is was left; empty where it was not.
  const std::string& warning() const { return warning_; }

 private:
  std::string warning_;
};

// The one of this process.
AutoDevice& auto_device();

}  // namespace lepton
