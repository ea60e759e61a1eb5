#include "cuda/fusion.h"

#include <gtest/gtest.h>

namespace lepton::cuda {
namespace {

struct Row {
  const char* net;
  Shape input;
  const char* producer;  // what a fused activation is computed with; "" = none is
  const char* cropped;   // the convolution that computes less; "" = none does
  int64_t height, width;
};

TEST(Fusion, FindsActivationsAndWhatPoolsLeaveOut) {
  const Row rows[] = {
      {"conv 4 3x3 relu; maxpool 2; dense classes", {7, 9, 3}, "conv1", "conv1", 6, 8},
      {"conv 4 3x3; maxpool 2 bn gelu; dense classes", {7, 8, 3}, "bn1", "conv1", 6, 8},
      {"conv 4 3x3; maxpool 3 stride=2; dense classes", {8, 8, 3}, "", "conv1", 7, 7},
      {"conv 4 3x3; maxpool 2; dense classes", {8, 6, 3}, "", "", 0, 0},
      {"conv 4 1x1; maxpool 2; dense classes", {7, 7, 3}, "", "", 0, 0},
      {"conv 4 3x3 bn relu; maxpool 2; dense classes", {7, 7, 3}, "bn1", "", 0, 0},
      {"conv 4 3x3 gelu; maxpool 2; dense classes", {7, 7, 3}, "", "", 0, 0},
      {"conv 4 3x3; residual {; relu; }; dense classes", {4, 4, 3}, "", "", 0, 0},  // two readers
      {"dense 5 relu; dense classes", {9}, "dense1", "", 0, 0},
      {"relu; dense classes", {9}, "", "", 0, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.net);
    const Graph graph = build_graph(row.net, row.input, 5);
    const Fusion fusion(graph);
    for (NodeId id = 0; id <= graph.output(); ++id) {
      const Node& node = graph.nodes[static_cast<size_t>(id)];
      const NodeId activation = fusion.activation_of(id), pool = fusion.cropping_pool(id);
      EXPECT_EQ(activation != Fusion::kNone, node.name == row.producer) << node.name;
      EXPECT_EQ(fusion.shown(id), activation == Fusion::kNone ? id : activation);
      EXPECT_TRUE(activation == Fusion::kNone || fusion.producer_of(activation) == id);
      EXPECT_EQ(pool != Fusion::kNone, node.name == row.cropped) << node.name;
      if (pool == Fusion::kNone) continue;
      for (const NodeId each : {id, pool}) {
        EXPECT_EQ(fusion.cropped(each).height, row.height);
        EXPECT_EQ(fusion.cropped(each).width, row.width);
      }
    }
  }
}

}  // namespace
}  // namespace lepton::cuda
