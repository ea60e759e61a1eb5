#include "net/graph.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "net/presets.h"

namespace lepton {
namespace {

TEST(Presets, FlopsAreThoseTheComparisonsState) {
  const struct {
    const char* name;
    double mflop, tolerance;
  } rows[] = {{"textbook", 1.9, 0.05}, {"cnn6", 77, 0.5}, {"resnet9", 758, 0.6}, {"speed94", 236, 0.5}};
  for (const auto& row : rows) {
    const Graph graph = build_graph(find_preset(row.name)->net, {32, 32, 3}, 10);
    EXPECT_NEAR(static_cast<double>(graph.forward_flops()) / 1e6, row.mflop, row.tolerance) << row.name;
  }
}

}  // namespace
}  // namespace lepton
