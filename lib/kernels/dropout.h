#pragma once
// Dropout (Srivastava et al. 2014): which values are kept is a function of seed, step, node and place alone, so that no
// mask need be stored for the backward pass.
#include <cstdint>

#include "base/hd.h"
#include "base/random.h"

namespace lepton::kernels {

struct Dropout {
  uint64_t seed, step;
  int64_t node;
  float rate;  // share dropped

  // Four neighbours share one draw; `quad` is their place in N H W C order over 4. 2^40 quads for each node.
  LEPTON_HD Random4 draw(uint64_t quad) const {
    return random4(seed, Stream::dropout, step, (static_cast<uint64_t>(node) << 40) + quad);
  }
  LEPTON_HD bool kept(const Random4& random, uint64_t index) const { return uniform(random.v[index % 4]) >= rate; }
  // What the value at `index` in N H W C order, or its gradient, is multiplied by: 0 or 1 / (1 - rate).
  LEPTON_HD float operator()(uint64_t index) const {
    return kept(draw(index / 4), index) ? 1.0F / (1.0F - rate) : 0.0F;
  }
};

}  // namespace lepton::kernels
