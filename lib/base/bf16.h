#pragma once
// Floats in 16 bits. Arithmetic is in float; 16 bits only hold its results, rounded to the nearest, to the even one of
// two.
#include <cstdint>

#include "base/hd.h"

namespace lepton {

LEPTON_HD uint32_t bits_of(float v) { return __builtin_bit_cast(uint32_t, v); }  // std::bit_cast is not for devices
LEPTON_HD float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

// The upper half of a float: its range, 8 bits of precision.
struct Bf16 {
  uint16_t bits;

  Bf16() = default;
  LEPTON_HD explicit Bf16(float v) : bits(rounded(bits_of(v))) {}
  LEPTON_HD operator float() const { return float_of(static_cast<uint32_t>(bits) << 16); }

 private:
  LEPTON_HD static uint16_t rounded(uint32_t v) {
    if ((v & 0x7FFFFFFF) > 0x7F800000) return static_cast<uint16_t>(v >> 16 | 0x40);  // NaN stays one
    return static_cast<uint16_t>((v + 0x7FFF + (v >> 16 & 1)) >> 16);
  }
};

}  // namespace lepton
