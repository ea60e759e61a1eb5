#pragma once
// What a step reads that the step before it did not: kernels find it in device memory, so that a recorded step can be
// done again with other numbers.
#include <cmath>
#include <cstdint>

#include "base/batch.h"
#include "base/hd.h"
#include "kernels/optimizer.h"

namespace lepton::cuda {

// Where a batch stands on the device; nullptr: it has none. As Batch, but `images` of all samples that are kept where
// `kept` says which they are.
struct DeviceBatch {
  const uint8_t* images = nullptr;
  const int32_t* kept = nullptr;
  const float* rows = nullptr;
  const int32_t* tokens = nullptr;
  const int32_t* labels = nullptr;
  const float* targets = nullptr;
  const float* weights = nullptr;
  const Augment* augment = nullptr;
};

struct StepNumbers {
  DeviceBatch batch;
  uint64_t step = 0;                       // names dropout's random numbers
  double weight = 0;                       // sum of the labels' weights
  float smoothing = 0;                     // of labels
  float share = 0;                         // of a weight of 1 in the loss, times the loss scale
  float scale = 1;                         // loss scale
  float correction1 = 1, correction2 = 1;  // AdamW's
};

// What came of a step's forward and backward pass.
struct Verdict {
  double loss = 0;     // weighted sum over the batch
  double correct = 0;  // samples
  double square = 0;   // of the gradient's 2-norm, with the loss scale in it
  float factor = 0;    // of gradients: clipping, and out of the loss scale
  int32_t go = 0;      // 0: loss or gradient is not finite; the step changes nothing
};

// 2-norm of the gradient.
LEPTON_HD double gradient_norm(double square, float scale) { return std::sqrt(square) / static_cast<double>(scale); }

// One launch of 1.
struct Judge {
  const StepNumbers* numbers;
  const double* sums;  // loss, correct
  const double* square;
  double clip;  // largest norm; 0 = any
  Verdict* verdict;

  LEPTON_HD static bool finite(double v) { return v * 0 == 0; }
  LEPTON_HD void operator()(int64_t) const {
    const double norm = gradient_norm(*square, numbers->scale);
    const double loss = numbers->weight > 0 ? sums[0] / numbers->weight : 0;
    const float factor = static_cast<float>(kernels::clip_factor(norm, clip)) / numbers->scale;
    *verdict = {sums[0], sums[1], *square, factor, finite(norm) && finite(loss) ? 1 : 0};
  }
};

}  // namespace lepton::cuda
