#pragma once
// Randomness as a pure function of seed, stream and index: the same on every engine, in any order, at any thread count.
#include <cstdint>

#include "base/hd.h"

namespace lepton {

// What a random number is for; one stream never repeats another's numbers.
enum class Stream : uint32_t { initial = 1, shuffle, augment, dropout, split, sample, resample };

struct Random4 {
  uint32_t v[4];
};

// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
LEPTON_HD Random4 philox(uint64_t seed, uint64_t high, uint64_t low) {
  uint32_t c0 = static_cast<uint32_t>(low), c1 = static_cast<uint32_t>(low >> 32);
  uint32_t c2 = static_cast<uint32_t>(high), c3 = static_cast<uint32_t>(high >> 32);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = 0xD2511F53ULL * c0, p1 = 0xCD9E8D57ULL * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0, n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return {{c0, c1, c2, c3}};
}

// Four independent 32-bit numbers for (seed, stream, step, index); step below 2^32.
LEPTON_HD Random4 random4(uint64_t seed, Stream stream, uint64_t step, uint64_t index) {
  return philox(seed, (static_cast<uint64_t>(stream) << 32) | (step & 0xFFFFFFFFU), index);
}

// Uniform in [0, 1) with 24 bits.
LEPTON_HD float uniform(uint32_t bits) { return static_cast<float>(bits >> 8) * (1.0F / 16777216.0F); }

// Uniform integer in [0, n), n below 2^32 (Lemire's multiplication; bias below n / 2^32).
LEPTON_HD uint32_t below(uint32_t bits, uint32_t n) {
  return static_cast<uint32_t>((static_cast<uint64_t>(bits) * n) >> 32);
}

}  // namespace lepton
