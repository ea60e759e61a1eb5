#pragma once
// How samples without a split of their own are divided: within each class, by the salted hash of their content.
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace lepton {

// Shares of train, val and test as given ("80/10/10", "90/10" = train/test); they add up to 100.
struct SplitShares {
  std::array<double, 3> percent = {80, 10, 10};
};
SplitShares parse_shares(const std::string& text);  // Error(usage)

// What divide() needs to know of one sample.
struct SplitSample {
  uint64_t group;  // equal groups never part; also their order: a salted hash
  int32_t label;   // class, 0 or more
  uint32_t row;    // the caller's number
};

// The place of content or key in the order: the first eight bytes of SHA-256(seed, little-endian, then the bytes).
uint64_t salted_hash(uint64_t seed, std::span<const uint8_t> bytes);

// The split of each sample, in the order given. Within each class samples stand in the order of their group; the first
// percent[0] go to train, the next to val, the rest to test, rounded so that a class of n groups reaches
// min(n, 3) splits (train first, then test, then val). A group lies where its middle falls; one that spans classes is
// placed with the first of them.
std::vector<Split> divide(std::span<const SplitSample> samples, const SplitShares& shares);

// Joins rows that share content or key, directly or through others: union by smallest hash. Needs 8 bytes a row.
class Grouping {
 public:
  explicit Grouping(std::vector<uint64_t> hashes);  // one a row; rows of equal hash belong together
  void join(uint32_t a, uint32_t b);
  uint64_t group(uint32_t row);  // smallest hash of all rows joined

 private:
  uint32_t find(uint32_t row);
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> parents_;
};

}  // namespace lepton
