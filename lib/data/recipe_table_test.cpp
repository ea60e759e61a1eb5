#include "data/recipe_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "data/table_fit.h"
#include "data/table_source.h"

namespace lepton {
namespace {

std::string raw_of(const std::vector<std::string>& fields) {
  std::string raw;
  for (size_t i = 0; i < fields.size(); ++i) raw += (i > 0 ? std::string(1, kFieldEnd) : "") + fields[i];
  return raw;
}

std::vector<float> encoded(const Recipe& recipe, const std::vector<std::string>& fields) {
  const std::string raw = raw_of(fields);
  const std::vector<uint8_t> x = recipe.prepare({reinterpret_cast<const uint8_t*>(raw.data()), raw.size()}).x;
  std::vector<float> values(x.size() / sizeof(float));
  std::memcpy(values.data(), x.data(), x.size());
  return values;
}

std::unique_ptr<const Recipe> fitted(const std::vector<std::string>& columns,
                                     const std::vector<std::vector<std::string>>& rows, TableFitOptions options = {},
                                     std::string* notes = nullptr) {
  options.missing = {"?"};
  TableFit fit(columns, options, [&](const std::string& note) { notes ? void(*notes += note + "\n") : void(); });
  for (const auto& row : rows) {
    LabelledRecord record;
    record.raw = raw_of(row);
    fit.see(record);
  }
  RecipeParts parts;
  return fit.fit(parts);
}

Exit status_of(const std::function<void()>& act, std::string* said = nullptr) {
  try {
    act();
    return Exit::ok;
  } catch (const Error& error) {
    if (said != nullptr) *said = error.what();
    return error.status();
  }
}

using Values = std::vector<float>;

TEST(TableRecipe, NumbersCategoriesAndDatesBecomeValues) {
  const auto recipe = fitted({"age", "city", "day"}, {{"1", "Oslo", "2020-01-01"},
                                                      {"3", "Bern", "2021-01-01"},
                                                      {"?", "Oslo", "2020-01-01"},
                                                      {" 10 ", "Bern ", ""},
                                                      {"2", "Rome", "2022-01-01"}});
  // age and whether it is missing; Bern, Oslo, others; a date without time: five values, and whether it is missing
  EXPECT_EQ(recipe->sample_shape(), (Shape{2 + 3 + 6}));
  Values x = encoded(*recipe, {"7", "Oslo", "?"});
  EXPECT_EQ(Values(x.begin(), x.begin() + 5), (Values{7, 0, 0, 1, 0}));
  EXPECT_EQ(Values(x.begin() + 5, x.end()), (Values{2020.5, 0, 0, 0, 0, 1})) << "the median of the dates";
  x = encoded(*recipe, {"", "never seen", "2020-01-01"});
  EXPECT_EQ(Values(x.begin(), x.begin() + 5), (Values{2.5, 1, 0, 0, 1})) << "the median of 1, 2, 3, 10";
  EXPECT_EQ(Values(x.begin() + 5, x.begin() + 8), (Values{2020, 1, 0}));
  EXPECT_NEAR(x[8], -0.2225F, 1e-3F) << "a Wednesday";
  x = encoded(*recipe, {"+1e3", "?", "2020-01-01"});
  EXPECT_EQ(Values(x.begin(), x.begin() + 5), (Values{1000, 0, 0, 0, 0})) << "none missing in training: all zero";
}

TEST(TableRecipe, RoundTripsThroughJson) {
  const auto recipe = fitted({"a", "b", "c", "d"}, {{"1", "x", "2020-01-01 10:00", "s"},
                                                    {"?", "x", "2020-01-01", "s"},
                                                    {"2", "y", "2020-01-01", "s"},
                                                    {"2", "y", "", "s"}});
  const auto again = read_recipe(recipe->json());
  EXPECT_EQ(again->json(), recipe->json());
  EXPECT_EQ(again->sample_shape(), recipe->sample_shape());
  EXPECT_EQ(again->type(), ElementType::f32);
  EXPECT_TRUE(again->of_records());
  EXPECT_EQ(recipe->differs(*again), "");
  const auto other = fitted({"a", "b", "c", "d"}, {{"1", "x", "", "s"}, {"5", "x", "", "s"}, {"5", "y", "", "t"}});
  EXPECT_NE(recipe->differs(*other).find("column 'a'"), std::string::npos);
}

TEST(TableRecipe, AnythingElseIsAMismatch) {
  const std::string good = fitted({"a", "b"}, {{"1", "x"}, {"2", "x"}, {"3", "y"}, {"?", "y"}})->json();
  ASSERT_EQ(status_of([&] { (void)read_recipe(good); }), Exit::ok);
  const std::pair<const char*, const char*> edits[] = {
      {R"("number")", R"("colour")"},
      {R"("missing":true)", R"("missing":1)"},
      {R"("median":2.0)", R"("median":"2")"},
      {R"("x","y")", R"("y","x")"},
      {R"("x","y")", R"("x","x")"},
      {R"("other":false)", R"("other":false,"more":1)"},
      {R"("encode")", R"("decode")"},
      {R"(["?"])", R"("?")"},
      {R"("name":"a",)", ""},
  };
  for (const auto& [from, to] : edits) {
    std::string bad = good;
    ASSERT_NE(bad.find(from), std::string::npos) << from << " in " << good;
    bad.replace(bad.find(from), std::string(from).size(), to);
    EXPECT_EQ(status_of([&] { (void)read_recipe(bad); }), Exit::mismatch) << bad;
  }
}

TEST(TableRecipe, BadValuesNameTheirColumn) {
  const auto recipe = fitted({"n", "d"}, {{"1", "2020-01-01"}, {"2", "2020-01-02"}});
  for (const auto& [fields, said] : {std::pair{std::vector<std::string>{"x", "2020-01-01"}, "column 'n' holds 'x'"},
                                     {{"nan", "2020-01-01"}, "column 'n' holds 'nan'"},
                                     {{"1e300", "2020-01-01"}, "column 'n'"},
                                     {{"1", "1.1.2020"}, "column 'd' holds '1.1.2020', which is no date"}}) {
    std::string text;
    EXPECT_EQ(status_of([&, &f = fields] { (void)encoded(*recipe, f); }, &text), Exit::bad_inputs);
    EXPECT_NE(text.find(said), std::string::npos) << text;
  }
}

TEST(TableRecipe, CategoriesAndFlagsAreNotStandardised) {
  const auto recipe = fitted({"n", "c"}, {{"1", "x"}, {"?", "x"}, {"3", "y"}, {"4", "y"}});
  Values mean(4, 0.5F), std(4, 0.1F);
  recipe->adjust(mean, std);
  EXPECT_EQ(mean, (Values{0.5F, 0, 0, 0}));
  EXPECT_EQ(std, (Values{0.1F, 1, 1, 1}));
}

TEST(TableFit, ColumnsOfNoUseAreIgnoredAndNamed) {
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < 100; ++i)
    rows.push_back({"1", "", "t" + std::to_string(i), std::to_string(i), std::to_string(i)});
  std::string notes;
  const auto recipe = fitted({"same", "empty", "text", "", "n"}, rows, {}, &notes);
  EXPECT_EQ(recipe->sample_shape(), (Shape{1}));
  for (const char* name : {"'same' is the same", "'empty' is empty", "'text' holds 100 different", "without a name"}) {
    EXPECT_NE(notes.find(name), std::string::npos) << notes;
  }
  EXPECT_EQ(status_of([&] { (void)fitted({"same"}, {{"1"}, {"1"}}); }), Exit::no_input);
}

TEST(TableFit, TypesAndBoundsThatAreTold) {
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < 200; ++i) rows.push_back({std::to_string(i % 5), i == 7 ? "junk" : std::to_string(i)});
  EXPECT_EQ(fitted({"a", "b"}, rows)->sample_shape(), (Shape{2})) << "one value in a hundred may be junk";
  EXPECT_EQ(fitted({"a", "b"}, rows, {{}, {{"a", ColumnType::category}}, 256})->sample_shape(), (Shape{6}));
  EXPECT_EQ(fitted({"a", "b"}, rows, {{}, {{"a", ColumnType::category}}, 3})->sample_shape(), (Shape{5}))
      << "three levels and a place for the others";
  EXPECT_EQ(fitted({"a", "b"}, rows, {{}, {{"a", ColumnType::ignored}}, 256})->sample_shape(), (Shape{1}));
  EXPECT_EQ(status_of([&] { (void)fitted({"a", "b"}, rows, {{}, {{"c", ColumnType::date}}, 256}); }), Exit::usage);
}

TEST(TableFit, MedianOfMoreRowsThanAreKept) {
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < 200'000; ++i) rows.push_back({std::to_string(i)});
  const auto recipe = fitted({"n"}, rows);
  EXPECT_NEAR(encoded(*recipe, {""})[0], 100'000, 10);
}

class TableFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("lepton-table-test-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    hooks_.warn = hooks_.note = hooks_.detail = [](const std::string&) {};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  std::filesystem::path folder_;
  PrepHooks hooks_;
};

TEST_F(TableFiles, RecordsOfFilesMatchedByName) {
  const std::string a = file("a_train.csv", "x,y,class\n1,u,k\n2,v,l\n");
  const std::string b = file("b_test.tsv", "class\ty\textra\tx\nk\tw\t0\t3\n");
  TableSource source({{a, {}}, {b, {}}}, {}, hooks_);
  EXPECT_EQ(source.columns(), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(source.label(), "class");
  EXPECT_FALSE(source.regression());
  for (int pass = 0; pass < 2; ++pass) {
    source.rewind();
    std::vector<LabelledRecord> all;
    for (LabelledRecord record; record = {}, source.next(record);) all.push_back(record);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].id, "a_train.csv:2");
    EXPECT_EQ(all[0].split, Split::train);
    EXPECT_EQ(all[2].raw, raw_of({"3", "w"}));
    EXPECT_EQ(all[2].label, "k");
    EXPECT_EQ(all[2].split, Split::test);
  }
}

TEST_F(TableFiles, ClassesOrNumbersByTheLabels) {
  std::string few = "x,target\n", many = few, reals = few, texts = few;
  for (int i = 0; i < 50; ++i) {
    few += "1," + std::to_string(i % 20) + "\n";
    many += "1," + std::to_string(i % 21) + "\n";
    reals += "1," + std::to_string(i % 3) + ".5\n";
    texts += "1,n" + std::to_string(i) + "\n";
  }
  for (const auto& [text, regression] : {std::pair{few, false}, {many, true}, {reals, true}, {texts, false}}) {
    EXPECT_EQ(TableSource({{file("t.csv", text), {}}}, {}, hooks_).regression(), regression) << text.substr(0, 30);
  }
  TableSourceOptions told;
  told.regression = true;
  EXPECT_TRUE(TableSource({{file("t.csv", few), {}}}, told, hooks_).regression());
}

TEST_F(TableFiles, WhatDoesNotFitIsRefused) {
  const std::string a = file("a.csv", "x,y,label\n1,2,k\n2,3,l\n"), b = file("b.csv", "x,label\n1,k\n");
  const auto status = [&](const std::vector<InputSpec>& inputs, const TableSourceOptions& options = {}) {
    return status_of([&] { const TableSource source(inputs, options, hooks_); });
  };
  TableSourceOptions options;
  options.header = HeaderRow::yes;
  EXPECT_EQ(status({{a, {}}, {b, {}}}), Exit::mismatch);
  EXPECT_EQ(status({{file("twice.csv", "x,x,label\na,b,k\n"), {}}}, options), Exit::usage);
  options.id = "x";
  EXPECT_EQ(status({{a, {}}}, options), Exit::ok);
  EXPECT_EQ(status({{file("same.csv", "x,y,label\n1,2,k\n1,3,l\n"), {}}}, options), Exit::usage);
  options.id = "z";
  EXPECT_EQ(status({{a, {}}}, options), Exit::usage);
}

}  // namespace
}  // namespace lepton
