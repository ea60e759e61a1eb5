#pragma once
// Sequences whose samples end at different places: token 0 is padding and stands at the end.
#include <cstdint>

#include "base/hd.h"

namespace lepton::kernels {

// Tokens up to the last that is not padding.
LEPTON_HD int64_t text_length(const int32_t* tokens, int64_t count) {
  while (count > 0 && tokens[count - 1] == 0) --count;
  return count;
}

// Positions of a layer's output that hold something of a text of `length` tokens; the others are padding. `stride`:
// tokens from one position to the next; `extent`: positions there are.
LEPTON_HD int64_t valid_positions(int64_t length, int64_t stride, int64_t extent) {
  const int64_t positions = (length + stride - 1) / stride;
  return positions < extent ? positions : extent;
}

}  // namespace lepton::kernels
