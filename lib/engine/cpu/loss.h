#pragma once
// Softmax cross-entropy with label smoothing.
#include <vector>

#include "engine/cpu/op.h"
#include "engine/engine.h"

namespace lepton::cpu {

struct LossResult {
  double loss = 0;    // sum of weight x cross-entropy
  double weight = 0;  // sum of the weights of labelled samples
  int64_t correct = 0;
};

// Sum of the weights of the labelled samples.
double label_weight(const Batch& batch);

// logits, gradient: [batch, stride]. The target is (1 - s) onehot + s / classes. Gradient = factor x weight x (softmax
// - target), zero for unlabelled samples, padding and samples from n on. Errors (mismatch): a label out of range.
class Loss {
 public:
  Loss(int64_t batch, int64_t classes, int64_t stride);
  LossResult run(const Batch& batch, const float* logits, float smoothing, double factor, float* gradient);

 private:
  int64_t batch_, classes_, stride_;
  std::vector<double> losses_;
  std::vector<uint8_t> correct_;
  std::vector<double> logits_;
};

}  // namespace lepton::cpu
