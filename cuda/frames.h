#pragma once
// Rows of numbers and sequences of frames on their way into the network: shifted, masked, with noise, normalised.
#include <cstdint>

#include "base/batch.h"
#include "base/hd.h"
#include "cuda/divisor.h"
#include "kernels/augment.h"

namespace lepton::cuda {

// One value of x [n, count, bands]; augment: [n] or nullptr; mean, std: [bands].
template <class T>
struct GatherFrames {
  kernels::InputFrame<float> frame;
  Divisor bands, count;
  const float* rows;
  const Augment* augment;
  const float *mean, *std;
  T* x;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [place, band] = bands(i);
    const auto [sample, t] = count(place);
    const Augment a = augment == nullptr ? Augment{} : augment[sample];
    x[i] = T(frame(rows + sample * frame.count * frame.bands, a, t, band, mean[band], std[band]));
  }
};

}  // namespace lepton::cuda
