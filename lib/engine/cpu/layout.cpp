#include "engine/cpu/layout.h"

#include "base/error.h"
#include "engine/cpu/simd.h"

namespace lepton::cpu {

int64_t padded_channels(int64_t channels) {
  const int64_t lanes = simd().lanes;
  return (channels + lanes - 1) / lanes * lanes;
}

int64_t Map::blocks() const { return padded_channels(c) / simd().lanes; }
int64_t Map::plane() const { return pixels() * simd().lanes; }

int64_t Map::place(int64_t pixel, int64_t channel) const {
  const int64_t lanes = simd().lanes;
  return channel / lanes * plane() + pixel * lanes + channel % lanes;
}

Map map_of(const Shape& shape) {
  if (shape.rank() == 3) return {shape[0], shape[1], shape[2]};
  if (shape.rank() == 1) return {1, 1, shape[0]};
  fail(Exit::usage, "cpu: samples of shape {} are not supported; images HxWxC and rows D are", shape.to_string());
}

}  // namespace lepton::cpu
