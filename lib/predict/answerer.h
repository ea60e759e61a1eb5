#pragma once
// One model asked for one input or for many: small groups are not made to wait for a whole batch's arithmetic.
#include <memory>
#include <span>
#include <string>

#include "predict/predictor.h"

namespace lepton {

// Values of one node. Holds an engine for one sample and one for `batch`, each made when first needed; which of them
// answers does not change a value.
class Answerer {
 public:
  Answerer(const Predictor& predictor, NodeId node, int64_t batch, Computing how);

  int64_t batch() const { return batch_; }
  int64_t width() const { return width_; }  // values a sample
  // n <= batch() samples as datasets store them, [n, sample] of the recipe's type, into values [n, width()].
  void infer(int64_t n, std::span<const uint8_t> x, std::span<float> values);
  std::string describe() const;  // of the engines made so far

 private:
  void run(Engine& engine, int64_t n, std::span<const uint8_t> x, std::span<float> values) const;
  Engine& single();
  Engine& many();

  const Predictor& predictor_;
  NodeId node_;
  int64_t batch_, width_;
  Computing how_;
  std::unique_ptr<Engine> single_, many_;
};

}  // namespace lepton
