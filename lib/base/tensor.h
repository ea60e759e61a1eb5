#pragma once
// Named plain tensors: what engines load and save, and what model files hold.
#include <string>
#include <string_view>
#include <vector>

#include "base/shape.h"

namespace lepton {

struct NamedTensor {
  std::string name;           // "conv1/kernel"; optimiser state "conv1/kernel.momentum", averages "conv1/kernel.ema"
  Shape shape;                // conv HWIO, dense IO, vectors C
  std::vector<float> values;  // row-major
};

// An ordered list of tensors with distinct names.
struct ParameterSet {
  std::vector<NamedTensor> tensors;

  const NamedTensor* find(std::string_view name) const;  // nullptr if absent
  NamedTensor* find(std::string_view name);
  const NamedTensor& at(std::string_view name) const;  // throws Error(mismatch) naming what is missing
};

}  // namespace lepton
