#pragma once
// Exact copies among the inputs of prep.
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/prep_scan.h"

namespace lepton {

// Rows of equal content: counted, and those that cross splits or classes remembered so that they can be named.
struct Duplicates {
  int64_t copies = 0, crossing = 0, conflicting = 0;
  std::vector<std::pair<size_t, size_t>> named;  // pairs that cross splits
  std::unordered_map<size_t, std::string> ids;   // of the rows in `named`
};

Duplicates find_duplicates(const std::vector<Row>& rows);

// Says how many of the `inputs` ("files") there are, and names some that cross splits once `ids` is filled.
void report_duplicates(const Duplicates& duplicates, const std::vector<Row>& rows, const std::string& inputs,
                       const PrepHooks& hooks);

}  // namespace lepton
