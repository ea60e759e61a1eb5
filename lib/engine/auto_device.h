#pragma once
// --device auto: the GPU where there is one and its first answers are those of the CPU.
#include <functional>
#include <memory>
#include <string>

#include "engine/engine.h"

namespace lepton {

// How far one engine is from another on the same few made-up samples: |difference| / |expected| in 2-norms.
struct Distances {
  double answers = 0;
  // Of training engines, in the first step; the worst gradient, as the optimiser keeps it, and its name.
  double loss = 0, gradients = 0;
  std::string worst_gradient;
  // After the first step's update: the next step's loss, and answers.
  double next_loss = 0, next_answers = 0;
};

// Puts the samples through both engines, answers and (on training engines) two steps. Both want load() afterwards.
// options: those `engine` was compiled with.
Distances distances(const Graph& graph, const EngineOptions& options, Engine& engine, Engine& expected);

// In what they disagree; empty when they agree to the precision asked for.
std::string disagreement(const Distances& found, Precision precision);

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
