#pragma once
// What values and gradients are stored as: float, or 16 bits. Arithmetic is in float; 16 bits only hold its results,
// rounded to the nearest, to the even one of two.
#include <cstdint>

#include "base/bf16.h"

namespace lepton::cuda {

enum class Type { fp32, bf16, fp16 };

// IEEE 754 binary16: 11 bits of precision, up to 65504, subnormals down to 2^-24.
struct Half {
  uint16_t bits;

  Half() = default;
  LEPTON_HD explicit Half(float v) : bits(rounded(bits_of(v))) {}
  LEPTON_HD operator float() const {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, rest = bits & 0x7FFF;
    if (rest >= 0x7C00) return float_of(sign | 0x7F800000 | (rest & 0x3FF) << 13);
    // Shifted into place, the exponent's bias differs: a product with a power of two mends it, subnormals too.
    const float magnitude = float_of(rest << 13) * 0x1p112F;
    return float_of(sign | bits_of(magnitude));
  }

 private:
  LEPTON_HD static uint16_t rounded(uint32_t v) {
    const uint32_t sign = v >> 16 & 0x8000, rest = v & 0x7FFFFFFF;
    if (rest > 0x7F800000) return static_cast<uint16_t>(sign | 0x7E00);   // NaN
    if (rest >= 0x477FF000) return static_cast<uint16_t>(sign | 0x7C00);  // from 65520 on rounds to infinity
    if (rest < 0x38800000) {  // subnormal: adding 0.5 leaves multiples of 2^-24 in the low bits, rounded by the sum
      const float shifted = float_of(rest) + 0.5F;
      return static_cast<uint16_t>(sign | (bits_of(shifted) - 0x3F000000));
    }
    const uint32_t odd = rest >> 13 & 1;
    return static_cast<uint16_t>(sign | ((rest + 0xFFF + odd - 0x38000000) >> 13));
  }
};

template <class T>
inline constexpr Type kTypeOf = Type::fp32;
template <>
inline constexpr Type kTypeOf<Bf16> = Type::bf16;
template <>
inline constexpr Type kTypeOf<Half> = Type::fp16;

constexpr int64_t size_of(Type type) { return type == Type::fp32 ? 4 : 2; }

// A float as TF32 holds it: 11 bits of precision.
LEPTON_HD float tf32(float v) {
  const uint32_t bits = bits_of(v);
  if ((bits & 0x7F800000) == 0x7F800000) return v;
  return float_of((bits + 0xFFF + (bits >> 13 & 1)) & ~uint32_t{0x1FFF});
}

// A float back from 16 bits.
template <class T>
LEPTON_HD float rounded_to(float v) {
  return static_cast<float>(T(v));
}

}  // namespace lepton::cuda
