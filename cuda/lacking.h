#pragma once
// What the other engines run and this one does not yet; refused by lower() and checked().
#include "engine/layer_cases.h"

namespace lepton::cuda {

inline bool lacking(const LayerCase& row) {
  const std::string_view net = row.net;
  const bool frames_changed = row.augmented && row.input.rank() == 2;
  return row.tokens > 0 || row.targets || frames_changed || net.find("dwconv") != net.npos ||
         net.find("parallel") != net.npos;
}

}  // namespace lepton::cuda
