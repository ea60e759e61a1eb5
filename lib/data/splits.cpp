#include "data/splits.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "io/sha256.h"

namespace lepton {
namespace {

// How many of n samples end before val and before test.
std::array<int64_t, 2> cuts(int64_t n, const SplitShares& shares) {
  const auto& p = shares.percent;
  int64_t first = std::llround(static_cast<double>(n) * p[0] / 100);
  int64_t second = std::llround(static_cast<double>(n) * (p[0] + p[1]) / 100);
  // Every class is represented: train first, then test, then val.
  const int64_t test = p[2] > 0 && n >= 2 ? 1 : 0;
  const int64_t val = p[1] > 0 && n >= 2 + test ? 1 : 0;
  const int64_t train = p[0] > 0 ? 1 : 0;
  second = std::clamp(second, std::min(n, train + val), n - (n > train + val ? test : 0));
  first = std::clamp(first, std::min(n, train), second - (second > train ? val : 0));
  return {first, second};
}

}  // namespace

SplitShares parse_shares(const std::string& text) {
  const std::vector<std::string> parts = split(text, '/');
  SplitShares shares{{0, 0, 0}};
  double sum = 0;
  bool good = parts.size() == 2 || parts.size() == 3;
  for (size_t i = 0; good && i < parts.size(); ++i) {
    const auto share = parse_double(parts[i]);
    good = share && *share >= 0 && *share <= 100;
    if (!good) break;
    shares.percent[parts.size() == 2 ? 2 * i : i] = *share;
    sum += *share;
  }
  if (!good || std::abs(sum - 100) > 1e-6) {
    fail(Exit::usage, "--split {}: expected TRAIN/VAL/TEST or TRAIN/TEST in percent, together 100, such as 80/10/10",
         text);
  }
  return shares;
}

uint64_t salted_hash(uint64_t seed, std::span<const uint8_t> bytes) {
  std::array<uint8_t, 8> salt;
  for (size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<uint8_t>(seed >> (8 * i));
  Sha256 hash;
  hash.update(salt);
  hash.update(bytes);
  const Digest digest = hash.finish();
  return std::accumulate(digest.begin(), digest.begin() + 8, uint64_t{0},
                         [](uint64_t value, uint8_t byte) { return (value << 8) | byte; });
}

std::vector<Split> divide(std::span<const SplitSample> samples, const SplitShares& shares) {
  std::vector<uint32_t> order(samples.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const SplitSample &x = samples[a], &y = samples[b];
    return std::tie(x.label, x.group, x.row) < std::tie(y.label, y.group, y.row);
  });
  std::vector<Split> splits(samples.size(), Split::train);
  std::unordered_map<uint64_t, Split> spanning;  // groups of more than one sample, which may meet another class
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && samples[order[end]].label == samples[order[begin]].label) ++end;
    const auto [first, second] = cuts(static_cast<int64_t>(end - begin), shares);
    for (size_t at = begin; at < end;) {
      size_t next = at;
      while (next < end && samples[order[next]].group == samples[order[at]].group) ++next;
      const auto middle = static_cast<int64_t>((at + next - 1) / 2 - begin);
      Split split = middle < first ? Split::train : middle < second ? Split::val : Split::test;
      const auto [it, added] = spanning.try_emplace(samples[order[at]].group, split);
      if (!added) split = it->second;
      for (; at < next; ++at) splits[order[at]] = split;
    }
    begin = end;
  }
  return splits;
}

Grouping::Grouping(std::vector<uint64_t> hashes) : hashes_(std::move(hashes)), parents_(hashes_.size()) {
  std::iota(parents_.begin(), parents_.end(), 0U);
}

uint32_t Grouping::find(uint32_t row) {
  while (parents_[row] != row) {
    parents_[row] = parents_[parents_[row]];
    row = parents_[row];
  }
  return row;
}

void Grouping::join(uint32_t a, uint32_t b) {
  a = find(a);
  b = find(b);
  if (hashes_[b] < hashes_[a]) std::swap(a, b);
  parents_[b] = a;
}

uint64_t Grouping::group(uint32_t row) { return hashes_[find(row)]; }

}  // namespace lepton
