#pragma once
// Division by a number that stays the same: a product and a shift, where a GPU takes a hundred instructions for a
// 64-bit division.
#include <cstdint>

#include "base/hd.h"

namespace lepton::cuda {

class Divisor {
 public:
  // 1 <= divisor < 2^31. For i < 2^31 and 2^(s-1) < d <= 2^s, i / d is i * ceil(2^(31+s) / d) >> (31+s) exactly
  // (Granlund and Montgomery 1994).
  LEPTON_HD explicit Divisor(int64_t divisor) : divisor_(divisor) {
    while (int64_t{1} << shift_ < divisor) ++shift_;
    const uint64_t power = uint64_t{1} << (31 + shift_);
    factor_ = (power + static_cast<uint64_t>(divisor) - 1) / static_cast<uint64_t>(divisor);
  }

  struct Parts {
    int64_t quotient, remainder;
  };
  LEPTON_HD Parts operator()(int64_t i) const {
    const int64_t quotient =
        i < int64_t{1} << 31 ? static_cast<int64_t>(static_cast<uint64_t>(i) * factor_ >> (31 + shift_)) : i / divisor_;
    return {quotient, i - quotient * divisor_};
  }

 private:
  int64_t divisor_;
  uint64_t factor_ = 0;
  int shift_ = 0;
};

}  // namespace lepton::cuda
