#include "net/presets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "net/graph.h"

namespace lepton {
namespace {

std::string value_of(const Preset& preset, const std::string& option) {
  for (const auto& [name, value] : preset.defaults) {
    if (name == option) return value;
  }
  return "";
}

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

TEST(Presets, Speed94IsTheRecipe) {
  const Preset& preset = *find_preset("speed94");
  const Graph graph = build_graph(preset.net, {32, 32, 3}, 10);
  int64_t trained_biases = 0;
  for (const Node& node : graph.nodes) {
    for (const Parameter& parameter : node.parameters) {
      if (parameter.role == Role::bias) ++trained_biases;
      if (parameter.role == Role::gamma) {
        EXPECT_FALSE(parameter.trainable) << node.name;
      }
      if (node.kind == LayerKind::conv && parameter.role == Role::kernel) {
        EXPECT_EQ(parameter.init, node.name == "whiten1" ? Init::whiten : Init::dirac) << node.name;
      }
    }
  }
  EXPECT_EQ(trained_biases, 1);  // of the whitening layer alone
  EXPECT_EQ(graph.nodes[static_cast<size_t>(graph.find("maxpool4"))].shape, (Shape{1, 1, 256}));
  EXPECT_EQ(value_of(preset, "batch"), "2000");
  EXPECT_EQ(value_of(preset, "loss"), "sum");
}

TEST(Presets, EachFitsOrSaysWhyNot) {
  for (const Preset& preset : presets()) {
    EXPECT_FALSE(preset.description.empty());
    EXPECT_FALSE(preset.kinds.empty());
    const struct {
      Shape shape;
      int64_t tokens = 0;
    } inputs[] = {{{8, 8, 1}}, {{1, 1, 1}}, {{30}},   {{64, 48, 3}}, {{98, 40}},
                  {{1, 5}},    {{8000, 1}}, {{1}, 2}, {{60}, 9}};
    for (const auto& [shape, tokens] : inputs) {
      const SampleKind kind = kind_of(shape, tokens);
      const bool fits = std::find(preset.kinds.begin(), preset.kinds.end(), kind) != preset.kinds.end();
      const bool must = fits && kind != SampleKind::image;  // images may be too small for the pools
      try {
        EXPECT_GT(build_graph(preset.net, shape, 2, tokens).parameter_count(), 0);
      } catch (const Error& error) {
        EXPECT_EQ(error.status(), Exit::usage);
        EXPECT_EQ(std::string(error.what()).rfind("net line ", 0), 0U) << error.what();
        EXPECT_FALSE(must) << preset.name << " " << shape.to_string() << ": " << error.what();
      }
    }
  }
  EXPECT_EQ(find_preset("resnet10"), nullptr);
}

TEST(DefaultPreset, FitsEveryShapeAndAmount) {
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{1, 1, 3}, Shape{2, 50, 1}, Shape{4, 4, 1}, Shape{5, 7, 3},
                             Shape{8, 8, 1}, Shape{16, 16, 3}, Shape{28, 28, 1}, Shape{32, 32, 3}, Shape{40, 24, 3},
                             Shape{64, 64, 3}, Shape{100, 20, 1}, Shape{224, 224, 3}, Shape{1000, 8, 1}, Shape{30}}) {
    for (const int64_t samples : {2, 150, 5000, 60000, 1000000}) {
      const Preset preset = default_preset(shape, 7, samples);
      EXPECT_NO_THROW(build_graph(preset.net, shape, 7)) << shape.to_string() << " " << samples;
      const auto epochs = parse_double(value_of(preset, "epochs"));
      const auto batch = parse_int(value_of(preset, "batch"));
      ASSERT_TRUE(epochs && batch) << shape.to_string();
      EXPECT_GE(*epochs, 1);
      // Enough updates to learn from few samples; the last batch of an epoch may be short.
      EXPECT_GE(*epochs * std::ceil(static_cast<double>(samples) / static_cast<double>(*batch)), 100)
          << shape.to_string() << " " << samples;
    }
  }
}

TEST(Presets, SayWhatTheyAreFor) {
  EXPECT_NO_THROW(require_kind(*find_preset("textcnn"), SampleKind::text));
  EXPECT_NO_THROW(require_kind(*find_preset("mlp"), SampleKind::frames));
  try {
    require_kind(*find_preset("textcnn"), kind_of({8, 8, 3}, 0));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::usage);
    EXPECT_STREQ(error.what(),
                 "the network textcnn is for texts; this data has images, for which there are textbook, mlp, cnn6, "
                 "resnet9, speed94");
  }
}

TEST(DefaultPreset, IsOneForTheKindOfSamples) {
  const struct {
    Shape shape;
    int64_t tokens;
    const char* name;
  } rows[] = {{{30}, 0, "default"},     {{98, 40}, 0, "kws"},       {{8000, 1}, 0, "default"},
              {{60}, 20000, "textcnn"}, {{60}, 131073, "fasttext"}, {{900}, 20000, "fasttext"}};
  for (const auto& row : rows) {
    for (const int64_t samples : {100, 2000, 6000, 120000}) {
      const Preset preset = default_preset(row.shape, 6, samples, row.tokens);
      EXPECT_EQ(preset.name, row.name) << row.shape.to_string();
      const Graph graph = build_graph(preset.net, row.shape, 6, row.tokens);
      EXPECT_EQ(value_of(preset, "flip"), "none");
      const auto epochs = parse_int(value_of(preset, "epochs")), batch = parse_int(value_of(preset, "batch"));
      ASSERT_TRUE(epochs && batch);
      EXPECT_GE(*epochs * samples, 90 * *batch) << row.shape.to_string() << " " << samples;
      const double work = 3.0 * static_cast<double>(graph.forward_flops() * samples * *epochs);
      EXPECT_LE(work, std::max(102e12, 3.0 * static_cast<double>(graph.forward_flops() * samples))) << row.name;
    }
  }
}

TEST(DefaultPreset, StaysInItsTime) {
  const struct {
    Shape shape;
    int64_t samples;
    double teraflop;
  } rows[] = {
      {{32, 32, 3}, 50000, 240}, {{28, 28, 1}, 60000, 36}, {{32, 32, 3}, 39209, 240}, {{64, 64, 3}, 50000, 240}};
  for (const auto& row : rows) {
    const Preset preset = default_preset(row.shape, 10, row.samples);
    const Graph graph = build_graph(preset.net, row.shape, 10);
    const double work = 3.0 * static_cast<double>(graph.forward_flops()) * static_cast<double>(row.samples) *
                        parse_double(value_of(preset, "epochs")).value_or(0) / 1e12;
    EXPECT_LE(work, row.teraflop) << row.shape.to_string() << " " << preset.name;
    EXPECT_GE(work, row.teraflop / 8) << row.shape.to_string() << " " << preset.name;
  }
}

TEST(Presets, AugmentationIsFittedToTheInput) {
  const Preset& resnet9 = *find_preset("resnet9");
  const struct {
    Shape shape;
    const char *shift, *cutout, *flip;
  } rows[] = {{{32, 32, 3}, "4", "8", "auto"}, {{40, 8, 3}, "1", "2", "auto"}, {{1, 1, 3}, "0", "0", "none"},
              {{30}, "0", "0", "none"},        {{40, 16}, "4", "4", "none"},   {{8, 16}, "1", "2", "none"}};
  for (const auto& row : rows) {
    const Preset preset = fitted(resnet9, row.shape);
    EXPECT_EQ(value_of(preset, "shift"), row.shift) << row.shape.to_string();
    EXPECT_EQ(value_of(preset, "cutout"), row.cutout) << row.shape.to_string();
    EXPECT_EQ(value_of(preset, "flip"), row.flip) << row.shape.to_string();
  }
}

TEST(Presets, MasksAreFittedToTheFrames) {
  for (const char* name : {"kws", "dscnn"}) {
    const Preset wide = fitted(*find_preset(name), {98, 40}), small = fitted(*find_preset(name), {16, 8});
    EXPECT_EQ(value_of(wide, "shift") + value_of(wide, "time-mask") + value_of(wide, "band-mask"), "10128");
    EXPECT_EQ(value_of(small, "shift") + value_of(small, "time-mask") + value_of(small, "band-mask"), "242");
  }
}

TEST(Presets, OptionNamesAreThoseDocumented) {
  const std::set<std::string> known = {
      "epochs",         "batch",        "optimizer",  "lr",         "bias-lr",   "head-lr",   "momentum",
      "other-momentum", "weight-decay", "bias-decay", "head-decay", "schedule",  "warmup",    "label-smoothing",
      "loss",           "shift",        "flip",       "cutout",     "time-mask", "band-mask", "noise"};
  for (const Preset& preset : presets()) {
    for (const auto& [name, value] : preset.defaults) EXPECT_TRUE(known.contains(name)) << preset.name << " " << name;
  }
}

}  // namespace
}  // namespace lepton
