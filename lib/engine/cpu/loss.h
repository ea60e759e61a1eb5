#pragma once
// Softmax cross-entropy with label smoothing, and squared error.
#include <vector>

#include "engine/cpu/op.h"
#include "engine/engine.h"

namespace lepton::cpu {

struct LossResult {
  double loss = 0;  // sum of weight x loss
  int64_t correct = 0;
};

// logits, gradient: [batch, stride]. The target is (1 - s) onehot + s / classes. Gradient = factor x weight x (softmax
// - target), or factor x weight x 2 (value - target), zero for unlabelled samples and unknown targets, padding and
// samples from n on. The batch has passed check_truth().
class Loss {
 public:
  Loss(LossKind kind, int64_t batch, int64_t classes, int64_t stride);
  LossResult run(const Batch& batch, const float* logits, float smoothing, double factor, float* gradient);

 private:
  void cross_entropy(const Batch& batch, int64_t s, const float* z, float smoothing, double factor, float* gradient);
  void squared_error(const Batch& batch, int64_t s, const float* z, double factor, float* gradient);

  LossKind kind_;
  int64_t batch_, classes_, stride_;
  std::vector<double> losses_;
  std::vector<uint8_t> correct_;
  std::vector<double> logits_;
};

}  // namespace lepton::cpu
