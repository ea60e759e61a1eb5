#pragma once
// A batch that holds its samples itself.
#include <vector>

#include "base/batch.h"

namespace lepton {

// As Batch has it.
struct MadeUpBatch {
  int64_t n = 0;
  std::vector<uint8_t> images;
  std::vector<float> rows;
  std::vector<int32_t> tokens, labels;
  std::vector<float> targets, weights;
  std::vector<Augment> augment;

  Batch view() const { return {n, images, {}, rows, tokens, labels, targets, weights, augment}; }
};

}  // namespace lepton
