#include "net/graph.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace lepton {
namespace {

const Node& node_of(const Graph& graph, const std::string& name) {
  return graph.nodes[static_cast<size_t>(graph.find(name))];
}

std::string roles(const Node& node) {
  std::string text;
  for (const Parameter& parameter : node.parameters) {
    text += (text.empty() ? "" : " ") + std::string(role_name(parameter.role)) + ":" + parameter.shape.to_string();
  }
  return text;
}

// What build_graph says, or "" if it accepts.
std::string error_of(const std::string& text, const Shape& input = {32, 32, 3}) {
  try {
    build_graph(text, input, 10);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::usage);
    return error.what();
  }
  return "";
}

TEST(BuildGraph, InfersShapes) {
  const struct {
    const char* text;
    Shape input;
    const char* node;
    Shape shape;
  } rows[] = {
      {"conv 8 3x3", {32, 30, 3}, "conv1", {32, 30, 8}},
      {"conv 8 3x3 valid", {32, 30, 3}, "conv1", {30, 28, 8}},
      {"conv 8 3x3 pad=2", {32, 30, 3}, "conv1", {34, 32, 8}},
      {"conv 8 3x5 pad=0x2", {32, 30, 3}, "conv1", {30, 30, 8}},
      {"conv 8 3x3 stride=2", {31, 32, 3}, "conv1", {16, 16, 8}},
      {"conv 8 3x3 stride=1x2", {31, 32, 3}, "conv1", {31, 16, 8}},
      {"conv 8 3x3 stride=2 valid", {32, 32, 3}, "conv1", {15, 15, 8}},
      {"conv 8 3x3 dilation=2 valid", {32, 32, 3}, "conv1", {28, 28, 8}},
      {"conv 8 5", {32, 32, 3}, "conv1", {32, 32, 8}},
      {"whiten 2x2", {32, 32, 3}, "whiten1", {31, 31, 24}},
      {"maxpool 2", {15, 15, 4}, "maxpool1", {7, 7, 4}},
      {"maxpool 3 stride=2", {15, 15, 4}, "maxpool1", {7, 7, 4}},
      {"avgpool 2x3", {8, 9, 4}, "avgpool1", {4, 3, 4}},
      {"globalpool max", {8, 9, 4}, "globalmax1", {4}},
      {"dwconv 3x3 stride=2", {8, 9, 4}, "dwconv1", {4, 5, 4}},
      {"dwconv 3 valid", {30, 4}, "dwconv1", {28, 1, 4}},
      {"dwconv 3x3", {30, 4}, "dwconv1", {30, 4, 1}},
      {"globalpool avg", {8, 9, 4}, "globalavg1", {4}},
      {"flatten", {8, 9, 4}, "flatten1", {288}},
      {"relu", {8, 9, 4}, "relu1", {8, 9, 4}},
      {"dropout 0.5", {8}, "dropout1", {8}},
      {"residual { conv 4 3x3 relu }", {8, 9, 4}, "add1", {8, 9, 4}},
      {"conv 8 5", {30, 4}, "input", {30, 1, 4}},
      {"conv 8 5", {30, 4}, "conv1", {30, 1, 8}},
      {"bn; conv 8 5 stride=2", {30, 4}, "conv1", {15, 1, 8}},
      {"conv 8 5 valid; maxpool 3", {30, 4}, "maxpool1", {8, 1, 8}},
      {"conv 8 5 pad=3", {30, 4}, "conv1", {32, 1, 8}},
      {"conv 8 5x3", {30, 4}, "input", {30, 4, 1}},
      {"residual { conv 1 3x3 }; maxpool 2", {30, 4}, "maxpool1", {15, 2, 1}},
      {"parallel { relu | conv 4 3 }", {30, 4}, "concat1", {30, 1, 8}},
      {"relu", {30, 4}, "relu1", {30, 1, 4}},
      {"parallel { dense 3 | dense 4 | relu }", {5}, "concat1", {12}},
      {"parallel {\nconv 2 1x1\n|\nconv 3 3x3\n}", {8, 9, 4}, "concat1", {8, 9, 5}},
      {"residual project { conv 8 3x3 stride=2 }", {8, 9, 4}, "add1", {4, 5, 8}},
  };
  for (const auto& row : rows) {
    const Graph graph = build_graph(std::string(row.text) + "\ndense classes", row.input, 10);
    EXPECT_EQ(node_of(graph, row.node).shape.to_string(), row.shape.to_string()) << row.text;
    EXPECT_EQ(graph.nodes.back().shape, Shape{10});
  }
}

TEST(BuildGraph, SamePaddingPutsTheOddZeroRightAndBelow) {
  const Graph even = build_graph("conv 8 2x2; dense classes", {5, 5, 1}, 10);
  const Attributes& a = node_of(even, "conv1").attributes;
  EXPECT_EQ(a.pad_top, 0);
  EXPECT_EQ(a.pad_bottom, 1);
  const Graph strided = build_graph("conv 8 3x3 stride=2; dense classes", {32, 33, 1}, 10);
  const Attributes& b = node_of(strided, "conv1").attributes;
  EXPECT_EQ(b.pad_top, 0);
  EXPECT_EQ(b.pad_bottom, 1);
  EXPECT_EQ(b.pad_left, 1);
  EXPECT_EQ(b.pad_right, 1);
}

TEST(BuildGraph, GivesParameters) {
  const struct {
    const char* text;
    const char* node;
    const char* parameters;
  } rows[] = {
      {"conv 8 3x3 relu", "conv1", "kernel:3x3x3x8 bias:8"},
      {"conv 8 3x3 bn", "conv1", "kernel:3x3x3x8"},
      {"conv 8 3x3\nbn", "conv1", "kernel:3x3x3x8"},
      {"conv 8 3x3\nmaxpool 2\nbn", "conv1", "kernel:3x3x3x8"},
      {"conv 8 3x3 relu bn", "conv1", "kernel:3x3x3x8 bias:8"},
      {"conv 8 3x3\ndropout 0.1\nbn", "conv1", "kernel:3x3x3x8 bias:8"},
      {"conv 8 3x3 bias bn", "conv1", "kernel:3x3x3x8 bias:8"},
      {"conv 8 3x3 nobias", "conv1", "kernel:3x3x3x8"},
      {"residual { conv 3 3x3 }\nbn", "conv1", "kernel:3x3x3x3 bias:3"},
      {"conv 8 3x3 bn", "bn1", "gamma:8 beta:8 mean:8 variance:8"},
      {"whiten 2x2", "whiten1", "kernel:2x2x3x24 bias:24"},
      {"whiten 2x2 nobias", "whiten1", "kernel:2x2x3x24"},
      {"dwconv 5x2", "dwconv1", "kernel:5x2x1x3 bias:3"},
      {"dwconv 3x3 bn", "dwconv1", "kernel:3x3x1x3"},
      {"dense 7", "dense1", "kernel:3072x7 bias:7"},
      {"dense 7 bn", "dense1", "kernel:3072x7"},
      {"residual project { conv 8 3x3 }", "project1", "kernel:1x1x3x8"},
  };
  for (const auto& row : rows) {
    const Graph graph = build_graph(std::string(row.text) + "\ndense classes", {32, 32, 3}, 10);
    EXPECT_EQ(roles(node_of(graph, row.node)), row.parameters) << row.text;
  }
}

TEST(BuildGraph, ReadsAttributesOfParameters) {
  const Graph graph = build_graph(
      "whiten 2x2 bias-epochs=3 lr=2\nconv 8 3x3 freeze bn scale=fixed eps=1e-12 keep=0.6 lr=0.5 gelu\n"
      "dropout 0.25\ndense classes init=unit\nscale 1/256",
      {32, 32, 3}, 10);
  const Node& whiten = node_of(graph, "whiten1");
  EXPECT_FALSE(whiten.parameters[0].trainable);
  EXPECT_EQ(whiten.parameters[0].init, Init::whiten);
  EXPECT_TRUE(whiten.parameters[1].trainable);
  EXPECT_EQ(whiten.parameters[1].epochs, 3);
  EXPECT_EQ(whiten.parameters[1].lr_scale, 2);
  EXPECT_FALSE(node_of(graph, "conv1").parameters[0].trainable);
  const Node& bn = node_of(graph, "bn1");
  EXPECT_FALSE(bn.parameters[0].trainable);
  EXPECT_TRUE(bn.parameters[1].trainable);
  EXPECT_EQ(bn.parameters[1].lr_scale, 0.5F);
  EXPECT_EQ(bn.attributes.epsilon, 1e-12F);
  EXPECT_EQ(bn.attributes.keep, 0.6F);
  EXPECT_EQ(node_of(graph, "dropout1").attributes.rate, 0.25F);
  EXPECT_EQ(node_of(graph, "dense1").parameters[0].init, Init::unit);
  EXPECT_EQ(node_of(graph, "scale1").attributes.factor, 1.0F / 256);
}

TEST(BuildGraph, WiresResidualBlocks) {
  const Graph graph = build_graph(
      "conv 4 3x3; residual { conv 4 3x3 relu; residual { relu } } relu # tail\n; dense classes", {8, 8, 3}, 10);
  std::string names;
  for (const Node& node : graph.nodes) names += node.name + " ";
  EXPECT_EQ(names, "input conv1 conv2 relu1 relu2 add1 add2 relu3 flatten1 dense1 ");
  EXPECT_EQ(node_of(graph, "add1").inputs, (std::vector<NodeId>{graph.find("relu2"), graph.find("relu1")}));
  EXPECT_EQ(node_of(graph, "add2").inputs, (std::vector<NodeId>{graph.find("add1"), graph.find("conv1")}));

  const Graph parallel =
      build_graph("relu; parallel { conv 4 1x1; |; parallel { gelu | silu }; }; dense classes", {8, 8, 3}, 10);
  EXPECT_EQ(node_of(parallel, "conv1").inputs, std::vector<NodeId>{1});
  EXPECT_EQ(node_of(parallel, "silu1").inputs, std::vector<NodeId>{1});
  EXPECT_EQ(node_of(parallel, "concat1").inputs, (std::vector<NodeId>{parallel.find("gelu1"), parallel.find("silu1")}));
  EXPECT_EQ(node_of(parallel, "concat2").inputs,
            (std::vector<NodeId>{parallel.find("conv1"), parallel.find("concat1")}));

  const Graph project = build_graph("residual project {\nconv 8 3x3 stride=2\n}\ndense classes", {8, 8, 3}, 10);
  EXPECT_EQ(node_of(project, "project1").inputs, std::vector<NodeId>{0});
  EXPECT_EQ(node_of(project, "project1").attributes.stride_h, 2);
  EXPECT_EQ(node_of(project, "add1").inputs, (std::vector<NodeId>{project.find("conv1"), project.find("bn1")}));
}

TEST(BuildGraph, ReadsTextsByATableAndMasksTheirPadding) {
  const Graph graph = build_graph(
      "embed 8 lr=2; conv 4 3 stride=2 relu; conv 5 1; maxpool 2; relu; conv 6 3 pad=1; globalpool max; dense classes",
      {30}, 10, 1000);
  std::string names;
  for (const Node& node : graph.nodes) names += node.name + ":" + std::to_string(node.token_stride) + " ";
  // No mask behind the table, none before a window of one position, none where zeros stayed zeros.
  EXPECT_EQ(names,
            "input:0 embed1:1 conv1:2 relu1:2 conv2:2 mask1:2 maxpool1:4 relu2:4 conv3:4 globalmax1:0 dense1:0 ");
  EXPECT_EQ(node_of(graph, "embed1").shape, (Shape{30, 1, 8}));
  EXPECT_EQ(roles(node_of(graph, "embed1")), "table:1000x8");
  EXPECT_EQ(node_of(graph, "embed1").parameters[0].lr_scale, 2);
  EXPECT_EQ(graph.tokens, 1000);
  EXPECT_EQ(node_flops(node_of(graph, "embed1")), 0);
  EXPECT_NE(graph_json(graph).find("\"token_stride\": 4"), std::string::npos);
  const ParameterRef table = parameters_of(graph)[0];
  EXPECT_EQ(table.name, "embed1/table");
  EXPECT_FALSE(table.matrix || table.head);
}

TEST(BuildGraph, RefusesTextsWhereTheyDoNotFit) {
  const struct {
    const char* text;
    Shape input;
    int64_t tokens;
    const char* expected;
  } rows[] = {
      {"dense classes", {30}, 100, "net line 1: dense: texts are read by `embed`"},
      {"embed 8; dense classes", {30}, 0, "embed: reads texts"},
      {"embed 8; dense classes", {8, 8, 3}, 0, "embed: reads texts"},
      {"embed 8; embed 8; dense classes", {30}, 100, "must be the first layer"},
      {"embed 8 init=he; dense classes", {30}, 100, "accepted: normal, uniform"},
      {"embed 1048576; dense classes", {30}, 1000, "its table would have more than"},
      {"embed 8; parallel { conv 4 1 stride=2 | conv 4 1 }; dense classes", {1}, 9, "different strides"},
      {"embed 8; residual project { conv 4 1 stride=2 }; dense classes", {1}, 9, "different strides"},
      {"embed 8; dense classes", {30}, 1, "2 to 16,777,216"},
      {"embed 8; dense classes", {30, 2}, 100, "no network for 100 tokens"},
  };
  for (const auto& row : rows) {
    try {
      build_graph(row.text, row.input, 10, row.tokens);
      ADD_FAILURE() << row.text;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Exit::usage);
      EXPECT_NE(std::string(error.what()).find(row.expected), std::string::npos) << error.what();
    }
  }
}

TEST(BuildGraph, KeepsTheTextVerbatim) {
  const std::string text = "# a net\n\n  dense   classes ;;\n";
  EXPECT_EQ(build_graph(text, {4}, 10).text, text);
}

TEST(BuildGraph, RefusesWithLineLayerAndNearestWord) {
  const struct {
    const char* text;
    const char* expected;
  } rows[] = {
      {"", "holds no layer"},
      {"# only this", "holds no layer"},
      {"dense classes\n\nrelou", "net line 3: unknown layer `relou` (did you mean `relu`?)"},
      {"xyzzy", "accepted: embed, conv, dwconv, dense,"},
      {"conv 8 3x3 relus\ndense classes", "net line 1: conv: unknown word `relus` (did you mean `relu`?)"},
      {"conv 8 3x3 strid=2\ndense classes", "unknown option `strid` (did you mean `stride`?)"},
      {"conv 8 3x3 stride=2 stride=1", "given twice"},
      {"conv 8\ndense classes", "net line 1: conv: too few words"},
      {"conv 8 3x3 maxpool 2\ndense classes", "`maxpool` starts a layer of its own"},
      {"conv eight 3x3", "number of filters must be a whole number from 1"},
      {"conv 0 3x3", "not `0`"},
      {"conv 8 3y3", "must be a whole number from 1 to 1048576, not `3y3`"},
      {"conv 8 3x3 valid pad=1", "exclude each other"},
      {"conv 8 3x3 pad=3", "not smaller than the window"},
      {"conv 8 3x3 bias nobias", "exclude each other"},
      {"conv 8 3x3 init=het", "init=`het` is unknown (did you mean `he`?)"},
      {"conv 8 33x33 valid", "does not fit the map of 32"},
      {"flatten\nconv 8 3x3", "net line 2: conv: needs a map"},
      {"relu\nwhiten 2x2", "must be the first layer"},
      {"whiten 20x20", "at most 256"},
      {"maxpool 64", "does not fit the map of 32"},
      {"globalpool min", "globalpool max"},
      {"dropout 1", "must be a number from 0 to 0.99"},
      {"dropout nan", "must be a number"},
      {"scale 1/0", "the divisor must be"},
      {"bn scale=2", "scale=fixed"},
      {"bn eps=0", "eps= must be"},
      {"dense 5", "ends in 5 values, not 10 classes"},
      {"conv 10 3x3", "ends in 32x32x10 values"},
      {"residual {\nconv 8 3x3\n}\ndense classes",
       "net line 1: residual: the block turns 32x32x3 into 32x32x8, which cannot be added"},
      {"residual project { dense 3 }", "`project` needs maps"},
      {"residual project { conv 3 3x3 pad=2 }", "no stride"},
      {"residual {\nrelu", "net line 1: residual: its block is not closed"},
      {"residual { }", "block is empty"},
      {"residual\nrelu", "must follow on the same line"},
      {"relu }", "closes nothing"},
      {"relu { relu }", "must follow `residual`"},
      {"{ relu }", "must follow `residual`"},
      {"residual { relu | relu }", "branches of `parallel` alone"},
      {"relu | relu", "net line 1: `|` closes nothing"},
      {"parallel { relu }", "has one branch"},
      {"parallel { relu | }", "a branch is empty"},
      {"parallel { | relu }", "a branch is empty"},
      {"parallel { relu | maxpool 2 }", "give 32x32x3 and 16x16x3"},
      {"parallel { relu | flatten }", "cannot be joined"},
      {"conv 1048576 3x3\nconv 1048576 3x3", "more than 268,435,456 values"},
      {"conv 99999999999999999999 3x3", "must be a whole number"},
      {"conv 1 3x3\ndense 1048576", "more than 268,435,456 values"},
  };
  for (const auto& row : rows) {
    const std::string message = error_of(row.text);
    EXPECT_NE(message.find(row.expected), std::string::npos) << "`" << row.text << "` says: " << message;
  }
}

TEST(BuildGraph, IsBounded) {
  std::string deep, many;
  for (int i = 0; i < 40; ++i) deep += "residual { ";
  EXPECT_NE(error_of(deep).find("deeper than 32"), std::string::npos);
  for (int i = 0; i < 2001; ++i) many += "relu;";
  EXPECT_NE(error_of(many).find("more than 2000 layers"), std::string::npos);
  EXPECT_NE(error_of(std::string(70000, ' ')).find("at most 65536"), std::string::npos);
  std::string wide;  // ten kernels, each within the limit of one
  for (int i = 0; i < 10; ++i) wide += "dense 11000\n";
  EXPECT_NE(error_of(wide).find("more than 1,073,741,824 parameters"), std::string::npos);
  EXPECT_NE(error_of("dense classes", {1 << 14, 1 << 14, 3}).find("inputs of 16384x16384x3"), std::string::npos);
}

TEST(Graph, FindOffersTheNearestName) {
  const Graph graph = build_graph("conv 8 3x3 relu; dense classes", {8, 8, 1}, 10);
  EXPECT_EQ(graph.find("relu1"), 2);
  try {
    graph.find("convl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "no layer `convl` in this network (did you mean `conv1`?)");
  }
}

TEST(Graph, ParametersStandInOrderOfNodes) {
  const Graph graph = build_graph("conv 8 3x3 bn relu; conv 4 3x3; dense classes; scale 2", {8, 8, 1}, 10);
  std::string text;
  for (const ParameterRef& ref : parameters_of(graph)) {
    text += ref.name + (ref.matrix ? "+" : "") + (ref.head ? "*" : "") + " ";
  }
  EXPECT_EQ(text,
            "conv1/kernel+ bn1/gamma bn1/beta bn1/mean bn1/variance conv2/kernel+ conv2/bias dense1/kernel* "
            "dense1/bias* ");
  EXPECT_EQ(graph.parameter_count(), 72 + 16 + 288 + 4 + 256 * 10 + 10);
}

TEST(Graph, ADepthwiseKernelIsNoMatrixAndCheap) {
  const Graph graph = build_graph("dwconv 3x3; conv 8 1x1; dense classes", {8, 8, 4}, 10);
  EXPECT_FALSE(parameters_of(graph)[0].matrix);
  EXPECT_TRUE(parameters_of(graph)[2].matrix);
  EXPECT_EQ(node_flops(node_of(graph, "dwconv1")), 2 * 9 * 4 * 64);
}

TEST(Graph, JsonNamesShapesAndParameters) {
  const std::string json = graph_json(build_graph("conv 8 3x3 bn; dense classes", {8, 8, 1}, 10));
  for (const char* part : {"\"input\"", "\"conv1\"", "\"kernel\"", "\"epsilon\"", "\"classes\": 10"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace lepton
