#include "net/summary.h"

#include <gtest/gtest.h>

namespace lepton {
namespace {

TEST(Summary, CountsEachLayer) {
  const Graph graph = build_graph("conv 8 3x3 bn; maxpool 2; dense classes", {8, 8, 3}, 10);
  const Summary summary = summarize(graph, 16);
  const struct {
    const char* name;
    int64_t parameters, flops, bytes;
  } rows[] = {{"input", 0, 0, 192 * 64},    {"conv1", 216, 2 * 216 * 64, 512 * 64},
              {"bn1", 16, 0, 512 * 64},     {"maxpool1", 0, 0, 128 * 64},
              {"flatten1", 0, 0, 128 * 64}, {"dense1", 1290, 2 * 1280, 10 * 64}};
  ASSERT_EQ(summary.rows.size(), std::size(rows));
  for (size_t i = 0; i < std::size(rows); ++i) {
    EXPECT_EQ(summary.rows[i].name, rows[i].name);
    EXPECT_EQ(summary.rows[i].parameters, rows[i].parameters) << rows[i].name;
    EXPECT_EQ(summary.rows[i].flops, rows[i].flops) << rows[i].name;
    EXPECT_EQ(summary.rows[i].activation_bytes, rows[i].bytes) << rows[i].name;
  }
  EXPECT_EQ(summary.parameters, graph.parameter_count());
  EXPECT_EQ(summary.flops, graph.forward_flops());
  const std::string text = summary_text(graph, 16);
  EXPECT_NE(text.find("8x8x8"), std::string::npos);
  EXPECT_NE(text.find("1,522"), std::string::npos);  // total parameters
}

}  // namespace
}  // namespace lepton
