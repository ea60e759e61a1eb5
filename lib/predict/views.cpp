// Views of an image whose answers are averaged.
#include <utility>

#include "predict/scoring.h"

namespace lepton {

std::vector<WeightedView> plain_view() { return {{}}; }

std::vector<WeightedView> test_time_views(bool flips) {
  std::vector<WeightedView> views;
  for (const auto& [shift, share] : {std::pair{0, 0.5F}, {-1, 0.25F}, {1, 0.25F}}) {
    for (const bool flip : {false, true}) {
      if (flip && !flips) continue;
      WeightedView v;
      v.view.dy = v.view.dx = static_cast<int16_t>(shift);
      v.view.flip = flip;
      v.weight = flips ? share / 2 : share;
      views.push_back(v);
    }
  }
  return views;
}

}  // namespace lepton
