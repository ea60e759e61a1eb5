#include "data/prep_duplicates.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace lepton {
namespace {

constexpr size_t kNamedDuplicates = 5;

}  // namespace

Duplicates find_duplicates(const std::vector<Row>& rows) {
  std::vector<uint32_t> order;
  for (size_t r = 0; r < rows.size(); ++r) {
    if (rows[r].state == RowState::good) order.push_back(static_cast<uint32_t>(r));
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return rows[a].digest != rows[b].digest ? rows[a].digest < rows[b].digest : a < b;
  });
  Duplicates duplicates;
  for (size_t i = 1, first = 0; i < order.size(); ++i) {
    const Row &original = rows[order[first]], &row = rows[order[i]];
    if (original.digest != row.digest) {
      first = i;
      continue;
    }
    ++duplicates.copies;
    if (original.label != row.label) ++duplicates.conflicting;
    if (original.split == row.split) continue;
    ++duplicates.crossing;
    if (duplicates.named.size() == kNamedDuplicates) continue;
    duplicates.named.emplace_back(order[first], order[i]);
    duplicates.ids[order[first]];
    duplicates.ids[order[i]];
  }
  return duplicates;
}

void report_duplicates(const Duplicates& duplicates, const std::vector<Row>& rows, const std::string& inputs,
                       const PrepHooks& hooks) {
  if (duplicates.copies == 0) return;
  hooks.note(fmt::format("{} {} are exact copies of others", with_commas(duplicates.copies), inputs));
  if (duplicates.conflicting > 0) {
    hooks.warn(
        fmt::format("{} of the copies carry another class than the original", with_commas(duplicates.conflicting)));
  }
  if (duplicates.crossing == 0) return;
  hooks.warn(fmt::format("{} of the copies lie in another split than the original: scores there will flatter",
                         with_commas(duplicates.crossing)));
  for (const auto& [a, b] : duplicates.named) {
    const auto where = [&](size_t row) {
      return fmt::format("{} ({})", duplicates.ids.at(row), kSplitNames[static_cast<size_t>(rows[row].split)]);
    };
    hooks.warn(fmt::format("equal: {} and {}", where(a), where(b)));
  }
  if (duplicates.crossing > std::ssize(duplicates.named)) {
    hooks.warn(fmt::format("and {} more", with_commas(duplicates.crossing - std::ssize(duplicates.named))));
  }
}

}  // namespace lepton
