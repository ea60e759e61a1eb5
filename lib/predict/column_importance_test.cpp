#include "predict/column_importance.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/random.h"
#include "metrics/metrics.h"

namespace lepton {
namespace {

constexpr int64_t kRows = 90, kWidth = 4;

// Rows of four numbers of which the first decides the class.
Dataset table(const std::string& path, ElementType type) {
  DatasetWriter writer(path, {kWidth}, type);
  for (uint64_t i = 0; i < kRows; ++i) {
    std::vector<float> row;
    for (const uint32_t bits : random4(3, Stream::sample, 0, i).v) row.push_back(uniform(bits) - 0.5F);
    std::vector<uint8_t> x(static_cast<size_t>(kWidth) * element_size(type));
    if (type == ElementType::f32) std::copy_n(reinterpret_cast<const uint8_t*>(row.data()), x.size(), x.data());
    writer.append(Split::test, x, row[0] > 0, std::to_string(i), sha256(x));
  }
  DatasetMeta meta;
  meta.classes = {"low", "high"};
  meta.recipe = meta.provenance = "{}";
  writer.finish(meta);
  return Dataset::open(path);
}

TEST(ColumnImportance, OfANetworkThatUsesOneColumn) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("lepton-importance-" + std::to_string(::getpid()))).string();
  const Graph graph = build_graph("dense classes", {kWidth}, 2);
  EngineOptions engine_options;
  engine_options.batch = 32;
  const std::unique_ptr<Engine> engine = compile(graph, "reference", engine_options);
  ParameterSet weights = answering_parameters(engine->save());
  for (NamedTensor& tensor : weights.tensors) {
    std::fill(tensor.values.begin(), tensor.values.end(), 0.0F);
    if (tensor.values.size() == 8) tensor.values[1] = 1;  // (in, out): "high" is the first column
  }
  engine->load(weights);
  const std::vector<ColumnGroup> groups = {{"rest", {1, 2}}, {"first", {0}}};
  {
    const Dataset data = table(path, ElementType::f32);
    const SplitData& split = *data.split(Split::test);
    const std::vector<int64_t> samples = labelled(split);
    const std::vector<int32_t> truth = labels_of(split, samples);
    const auto accuracy = [&](std::span<const float> scores) {
      return static_cast<double>(count_top(scores, truth, 2, 1)) / kRows;
    };
    const auto found = column_importance(*engine, graph, split, samples, groups, accuracy, {.batch = 32});
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].name, "first");
    EXPECT_NEAR(found[0].drop.value, 0.5, 0.1);  // from all right to half
    EXPECT_EQ(found[1].drop.value, 0);
    EXPECT_TRUE(importance_tsv(found).starts_with("column\tdrop\tlow\thigh\nfirst\t0."));
    const std::vector<ColumnGroup> outside = {{"far", {kWidth}}};
    EXPECT_THROW(column_importance(*engine, graph, split, samples, outside, accuracy, {}), Error);
  }
  {
    const Dataset bytes = table(path, ElementType::u8);
    EXPECT_THROW(column_importance(*engine, graph, *bytes.split(Split::test), {}, groups, {}, {}), Error);
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace lepton
