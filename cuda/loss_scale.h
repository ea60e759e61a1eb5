#pragma once
// fp16 ends at 6e-8: the loss is multiplied by a power of two before the backward pass, and gradients of parameters,
// which are fp32, divided by it (Micikevicius et al. 2018). A step that overflows is done again with half the factor,
// so none is lost; after kPatience steps without overflow the factor is doubled.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/error.h"
#include "base/tensor.h"
#include "engine/engine.h"

namespace lepton::cuda {

class LossScale {
 public:
  static constexpr float kFirst = 65536, kMost = 16777216;
  static constexpr int64_t kPatience = 1000;

  explicit LossScale(const EngineOptions& options)
      : dynamic_(options.precision == Precision::fp16 && options.loss_scale == 0),
        value_(dynamic_                               ? kFirst
               : options.precision == Precision::fp16 ? options.loss_scale
                                                      : 1) {
    int exponent = 0;
    if (!(value_ > 0) || std::frexp(value_, &exponent) != 0.5F) {
      fail(Exit::usage,
           "a loss scale of {}; a power of two is needed, or 0 for one that "
           "adapts itself",
           value_);
    }
  }

  float value() const { return value_; }

  // After an overflow. False: the step has failed.
  bool lower() {
    good_ = 0;
    if (!dynamic_ || value_ <= 1) return false;
    value_ /= 2;
    return true;
  }

  // After a step that was finite.
  void keep() {
    if (!dynamic_ || ++good_ < kPatience) return;
    good_ = 0;
    value_ = std::min(2 * value_, kMost);
  }

  // A run that is taken up again goes on as if it had not been interrupted.
  void save(ParameterSet& set) const {
    if (dynamic_) set.tensors.push_back({"optimizer.loss_scale", {2}, {value_, static_cast<float>(good_)}});
  }
  void load(const ParameterSet& set) {
    if (!dynamic_) return;
    const NamedTensor* found = set.find("optimizer.loss_scale");
    const bool valid = found != nullptr && found->values.size() == 2 && found->values[0] >= 1;
    value_ = valid ? found->values[0] : kFirst;
    good_ = valid ? static_cast<int64_t>(found->values[1]) : 0;
  }

 private:
  bool dynamic_;
  float value_;
  int64_t good_ = 0;  // steps since the factor was last changed
};

}  // namespace lepton::cuda
