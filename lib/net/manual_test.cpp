// The manual page says what the layer table says, and its examples build.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "net/graph.h"
#include "net/layers.h"
#include "net/presets.h"

namespace lepton {
namespace {

std::string manual() {
  std::ifstream file(LEPTON_TESTDATA "/../man/lepton-nets.5.scd");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '*' || c == '_' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// An entry as scdoc has it: bold term, indented meaning.
std::string entry(const std::string& term, const std::string& meaning) {
  return "*" + escape(term) + "*\n\t" + escape(meaning) + ".\n";
}

TEST(Manual, HoldsEveryRowOfTheTables) {
  const std::string text = manual();
  ASSERT_FALSE(text.empty());
  const auto expect = [&](const std::string& term, const std::string& meaning) {
    EXPECT_NE(text.find(entry(term, meaning)), std::string::npos) << "the manual lacks:\n" << entry(term, meaning);
  };
  for (const LayerRow& row : layer_table()) expect(row.syntax, row.meaning);
  for (const LayerOptionRow& row : layer_options()) expect(row.syntax, row.meaning);
  for (const Preset& preset : presets()) expect(preset.name, preset.description);
}

TEST(Manual, ExamplesBuild) {
  const std::string text = manual(), fence = "\n```\n";
  int examples = 0;
  for (size_t begin = text.find(fence); begin != std::string::npos; ++examples) {
    const size_t end = text.find(fence, begin + fence.size());
    ASSERT_NE(end, std::string::npos);
    const std::string net = text.substr(begin + fence.size(), end - begin - fence.size());
    EXPECT_NO_THROW(build_graph(net, {32, 32, 3}, 10)) << net;
    begin = text.find(fence, end + fence.size());
  }
  EXPECT_EQ(examples, 6);
}

TEST(LayerTable, NamesEachOptionItExplains) {
  for (const LayerRow& row : layer_table()) {
    const std::string syntax = row.syntax;
    for (const char* option : row.options) {
      EXPECT_NE(syntax.find(std::string(option) + "="), std::string::npos) << row.word << " " << option;
    }
    EXPECT_EQ(find_layer(row.word), &row);
  }
}

}  // namespace
}  // namespace lepton
