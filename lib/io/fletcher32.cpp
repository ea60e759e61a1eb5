#include <algorithm>
#include <array>
#include <cstring>

#include "io/hdf5.h"

namespace lepton {
namespace {

constexpr uint64_t kModulus = 65535;

struct Sums {
  uint64_t plain = 0, weighted = 0;  // sum of words, and of each word times the number of words from it to the end
};

// Eight running pairs of sums, one a lane, so that the compiler can keep them in vector registers.
Sums sums_of(const uint8_t* bytes, size_t words) {
  constexpr size_t kLanes = 8, kBlock = 256;  // steps a lane goes before 32 bits could overflow
  Sums total;
  size_t done = 0;
  while (words - done >= kLanes) {
    const size_t steps = std::min((words - done) / kLanes, kBlock);
    std::array<uint32_t, kLanes> plain{}, weighted{};
    for (size_t step = 0; step < steps; ++step) {
      std::array<uint16_t, kLanes> word;
      std::memcpy(word.data(), bytes + 2 * (done + step * kLanes), sizeof word);
      for (size_t lane = 0; lane < kLanes; ++lane) {
        plain[lane] += word[lane];
        weighted[lane] += plain[lane];
      }
    }
    // A word in lane l, s steps before the end of the block, has 8 s - l words from it to the end.
    uint64_t block_plain = 0, block_weighted = 0;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      block_plain += plain[lane];
      block_weighted += kLanes * uint64_t{weighted[lane]} - lane * uint64_t{plain[lane]};
    }
    total.weighted = (total.weighted + total.plain * (steps * kLanes) + block_weighted) % kModulus;
    total.plain = (total.plain + block_plain) % kModulus;
    done += steps * kLanes;
  }
  for (; done < words; ++done) {
    uint16_t word = 0;
    std::memcpy(&word, bytes + 2 * done, 2);
    total.plain += word;
    total.weighted += total.plain;
  }
  return total;
}

}  // namespace

// HDF5 adds big-endian words, folding carries. Its sums equal ours modulo 65535, where swapping the bytes of a word is
// multiplying it by 256; folding leaves 65535, never 0, for a multiple of 65535 unless all words were 0.
uint32_t fletcher32(std::span<const uint8_t> bytes) {
  Sums sums = sums_of(bytes.data(), bytes.size() / 2);
  sums.plain = sums.plain % kModulus * 256;
  sums.weighted = sums.weighted % kModulus * 256;
  if (bytes.size() % 2 != 0) {
    sums.plain += static_cast<uint64_t>(bytes.back()) << 8;
    sums.weighted += sums.plain;
  }
  uint64_t plain = sums.plain % kModulus, weighted = sums.weighted % kModulus;
  if (plain == 0 || weighted == 0) {
    const bool zeros = std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
    if (plain == 0 && !zeros) plain = kModulus;
    if (weighted == 0 && !zeros) weighted = kModulus;
  }
  return static_cast<uint32_t>(weighted << 16 | plain);
}

}  // namespace lepton
