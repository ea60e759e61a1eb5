#pragma once
// The numbers of a step (step.h) on their way to the device, and what came of it on its way back.
#include <algorithm>
#include <cstring>
#include <span>

#include "cuda/memory.h"
#include "cuda/staging.h"
#include "cuda/step.h"

namespace lepton::cuda {

// One upload before a step, one download after it.
template <class P>
class Numbers {
 public:
  // With a rate and a decay for each of so many parameters.
  Numbers(P& policy, int64_t parameters)
      : policy_(policy),
        parameters_(static_cast<size_t>(parameters)),
        host_(policy, size()),
        answer_(policy, sizeof(Verdict)),
        device_(policy, size()),
        verdict_(memory_of<Verdict>(policy, 1)) {}

  // For all work to come. The step before must have been read.
  void write(const StepNumbers& numbers, std::span<const float> rates = {}, std::span<const float> decays = {}) {
    std::memcpy(host_.data(), &numbers, sizeof(numbers));
    std::copy(rates.begin(), rates.end(), reinterpret_cast<float*>(host_.data() + kBehind));
    std::copy(decays.begin(), decays.end(), reinterpret_cast<float*>(host_.data() + kBehind) + parameters_);
    policy_.upload_beside(device_.template as<void>(), host_.data(), size());
    policy_.join();
  }
  Verdict read_verdict() {
    policy_.download(answer_.data(), verdict_.template as<void>(), sizeof(Verdict));
    Verdict verdict;
    std::memcpy(&verdict, answer_.data(), sizeof(verdict));
    return verdict;
  }

  const StepNumbers* on_device() const { return device_.template as<StepNumbers>(); }
  const float* rates() const { return device_.template as<float>(kBehind); }
  const float* decays() const { return rates() + parameters_; }
  Verdict* verdict() const { return verdict_.template as<Verdict>(); }

 private:
  static constexpr int64_t kBehind = (sizeof(StepNumbers) + 15) / 16 * 16;
  int64_t size() const { return kBehind + 2 * static_cast<int64_t>(parameters_ * sizeof(float)); }

  P& policy_;
  size_t parameters_;
  Pinned<P> host_, answer_;
  Memory<P> device_, verdict_;
};

}  // namespace lepton::cuda
