#include "data/text_records.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "data/text_fit.h"

namespace lepton {
namespace {

class TextRowsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "rows-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern + "/";
  }
  std::string file(const std::string& name, const std::string& content) {
    std::ofstream(folder_ + name, std::ios::binary) << content;
    return folder_ + name;
  }
  // "label|text" or "!problem" of each row.
  static std::vector<std::string> rows(TextRows& reader) {
    std::vector<std::string> all;
    for (TextRow row; reader.next(row);)
      all.push_back(row.problem.empty() ? row.label + "|" + row.text : "!" + row.problem);
    return all;
  }
  std::string folder_;
};

TEST_F(TextRowsTest, FormsWithLabels) {
  const struct {
    const char *name, *content;
    TextColumns columns;
    std::vector<std::string> rows;
  } kCases[] = {
      {"a.tsv", "pos\tfine\nneg\tbad\r\n", {"label", "", false}, {"pos|fine", "neg|bad"}},
      {"b.tsv", "text\tlabel\nfine\tpos\n", {"label", "", false}, {"pos|fine"}},
      {"c.tsv",
       "id\ttext\tlabel\n1\tfine\tpos\n2\tshort\n",
       {"label", "", true},
       {"pos|fine", "!has 2 fields, expected 3 (id, text, label)"}},
      {"d.csv", "label,text\npos,\"a, b\"\n", {"label", "", false}, {"pos|a, b"}},
      {"e.jsonl",
       "{\"text\":\"a\\tb\",\"label\":1}\n{\"text\":\"c\"}\n[]\n",
       {"label", "", false},
       {"1|a\tb", "|c", "!is not a JSON object"}},
      {"f.txt", "pos\tfine\n", {"label", "", false}, {"pos|fine"}},
      {"g.txt", "{\"text\":\"a\",\"label\":\"x\"}\n", {"label", "", false}, {"x|a"}},
      {"h.tsv", "", {"label", "", false}, {}},
  };
  for (const auto& c : kCases) {
    TextRows reader(file(c.name, c.content), {}, c.columns);
    EXPECT_EQ(rows(reader), c.rows) << c.name;
    reader.rewind();
    EXPECT_EQ(rows(reader), c.rows) << c.name << ", again";
  }
}

TEST_F(TextRowsTest, FormsWithoutLabels) {
  const struct {
    const char *name, *content;
    std::vector<std::string> rows, names;
  } kCases[] = {
      {"a.txt", "fine\tindeed\nbad\n", {"|fine\tindeed", "|bad"}, {"text"}},
      {"b.tsv", "pos\tfine\n", {"pos|fine"}, {"label", "text"}},
      {"c.tsv", "fine\nbad\tx\n", {"|fine", "!has 2 fields, expected 1 (text)"}, {"text"}},
      {"d.tsv", "id\ttext\n7\tfine\n", {"|fine"}, {"id", "text"}},
      {"e.csv", "text\nfine\n", {"|fine"}, {"text"}},
      {"f.jsonl", "{\"text\":\"a\"}\n", {"|a"}, {"text"}},
  };
  for (const auto& c : kCases) {
    TextRows reader(file(c.name, c.content), {}, {});
    EXPECT_EQ(rows(reader), c.rows) << c.name;
    EXPECT_EQ(reader.names(), c.names) << c.name;
  }
}

TEST_F(TextRowsTest, ColumnsThatAreMissing) {
  const auto status = [](const std::string& path, const TextColumns& columns) {
    try {
      TextRows reader(path, {}, columns);
    } catch (const Error& error) {
      return error.status();
    }
    return Exit::ok;
  };
  EXPECT_EQ(status(file("a.tsv", "pos\tfine\n"), {"label", "", true}), Exit::mismatch);
  EXPECT_EQ(status(file("b.csv", "a,b\n1,2\n"), {"label", "", false}), Exit::mismatch);
  EXPECT_EQ(status(file("c.txt", "fine\n"), {"", "id", false}), Exit::mismatch);
  EXPECT_EQ(status(file("d.tsv", "text\tlabel\n"), {"label", "id", false}), Exit::mismatch);
  EXPECT_EQ(status(folder_ + "absent.tsv", {"label", "", false}), Exit::no_input);
}

TEST(TextRecipe, WritesAndReadsItself) {
  RecipeParts parts;
  TextOptions options;
  for (const char* kind : {"words", "subword", "ngrams"}) {
    options.tokens = kind;
    options.min_count = 1;
    const auto fit = fit_text(options, [](const std::string&) {});
    for (const char* text : {"One fish, two fish", "red fish blue fish", "\xFF no text", ""}) {
      LabelledRecord record;
      record.raw = text;
      fit->see(record);
    }
    parts.clear();
    const auto recipe = fit->fit(parts);
    const auto again = read_recipe(recipe->json(), parts);
    EXPECT_EQ(again->json(), recipe->json());
    EXPECT_EQ(again->tokens(), recipe->tokens());
    EXPECT_EQ(again->differs(*recipe), "");
    const std::string text = "Blue FISH";
    const std::span<const uint8_t> raw(reinterpret_cast<const uint8_t*>(text.data()), text.size());
    EXPECT_EQ(again->prepare(raw).x, recipe->prepare(raw).x);
    EXPECT_FALSE(recipe->prepare(raw).cut);
    EXPECT_EQ(recipe->prepare(raw).x.size(), static_cast<size_t>(recipe->sample_shape()[0]) * 4);
  }
}

TEST(TextRecipe, NothingUsableIsNoInput) {
  for (const char* kind : {"words", "subword", "ngrams"}) {
    TextOptions options;
    options.tokens = kind;
    RecipeParts parts;
    try {
      fit_text(options, [](const std::string&) {})->fit(parts);
      FAIL() << kind;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Exit::no_input) << kind;
    }
  }
}

}  // namespace
}  // namespace lepton
