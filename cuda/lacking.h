#pragma once
// What the other engines run and this one does not yet; refused by lower() and checked().
#include "engine/layer_cases.h"

namespace lepton::cuda {

inline bool lacking(const LayerCase& row) {
  const std::string_view net = row.net;
  const bool changed_rows = row.augmented && row.input.rank() < 3;
  return row.tokens > 0 || row.targets || changed_rows || net.find("dwconv") != net.npos ||
         net.find("parallel") != net.npos;
}

}  // namespace lepton::cuda
