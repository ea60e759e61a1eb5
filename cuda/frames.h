#pragma once
// Rows of numbers and sequences of frames on their way into the network: shifted, masked, with noise, normalised.
#include <cstdint>

#include "base/batch.h"
#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/step.h"
#include "kernels/augment.h"

namespace lepton::cuda {

// One value of x [n, count, bands]; mean, std: [bands].
template <class T>
struct GatherFrames {
  kernels::InputFrame<float> frame;
  Divisor bands, count;
  const StepNumbers* numbers;
  const float *mean, *std;
  T* x;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [place, band] = bands(i);
    const auto [sample, t] = count(place);
    const DeviceBatch& batch = numbers->batch;
    const Augment a = batch.augment == nullptr ? Augment{} : batch.augment[sample];
    x[i] = T(frame(batch.rows + sample * frame.count * frame.bands, a, t, band, mean[band], std[band]));
  }
};

}  // namespace lepton::cuda
