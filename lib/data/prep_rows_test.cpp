#include "data/prep_rows.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "data/prep_sums.h"
#include "io/files.h"

namespace lepton {
namespace {

// Records "a b", two numbers each; "bad" cannot be prepared.
struct Numbers : Recipe {
  double middle = 0;  // of the training records' first numbers
  Shape sample_shape() const override { return {2}; }
  ElementType type() const override { return ElementType::f32; }
  std::string json() const override { return std::to_string(middle); }
  Prepared prepare(std::span<const uint8_t> raw) const override {
    const auto parts = words({reinterpret_cast<const char*>(raw.data()), raw.size()});
    if (parts.size() != 2) fail(Exit::bad_inputs, "is not two numbers");
    Prepared made;
    for (const std::string& part : parts) {
      const auto value = static_cast<float>(*parse_double(part));
      made.x.resize(made.x.size() + sizeof value);
      std::memcpy(made.x.data() + made.x.size() - sizeof value, &value, sizeof value);
    }
    return made;
  }
};

struct NumbersFit : RecipeFit {
  std::vector<std::string> seen;
  void see(const LabelledRecord& record) override { seen.push_back(record.raw); }
  std::unique_ptr<const Recipe> fit(RecipeParts& parts) override {
    parts["part"] = {1, 2, 3};
    auto recipe = std::make_unique<Numbers>();
    recipe->middle = static_cast<double>(seen.size());
    return recipe;
  }
};

struct List : LabelledRecords {
  std::vector<LabelledRecord> all;
  size_t at = 0;
  bool shrinks = false;  // one record fewer each time
  void rewind() override {
    at = 0;
    if (shrinks) all.pop_back();
  }
  bool next(LabelledRecord& record) override {
    if (at == all.size()) return false;
    record = all[at++];
    return true;
  }
  LabelledRecord& add(const std::string& raw, const std::string& label) {
    LabelledRecord record;
    record.id = "f:" + std::to_string(all.size() + 1);
    record.raw = raw;
    record.label = label;
    return all.emplace_back(record);
  }
};

class PrepRows : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("lepton-rows-test-" + std::to_string(::getpid()) + ".h5");
    hooks_.warn = hooks_.note = hooks_.detail = [this](const std::string& text) { said_ += text + "\n"; };
    hooks_.progress = [](const char*, int64_t, int64_t) {};
    hooks_.report = [this](const std::vector<InputError>& errors) { errors_ = errors; };
  }
  void TearDown() override { std::filesystem::remove(path_); }

  PrepResult prepare_all(List& list, const std::vector<std::string>& targets = {}) {
    NumbersFit fit;
    RowsSpec spec;
    spec.task = targets.empty() ? "table-classification" : "table-regression";
    spec.target_names = targets;
    spec.inputs = "rows";
    spec.options = {{"label", "y"}};
    const PrepResult result = prepare_rows(list, fit, spec, path_.string(), options_, hooks_);
    seen_ = fit.seen;
    return result;
  }
  Exit status_of(List& list, const std::vector<std::string>& targets = {}) {
    try {
      prepare_all(list, targets);
      return Exit::ok;
    } catch (const Error& error) {
      said_ += error.what();
      return error.status();
    }
  }
  bool said(const std::string& text) const { return said_.find(text) != std::string::npos; }
  // Of every sample its id and split.
  std::map<std::string, int> splits() const {
    const Dataset dataset = Dataset::open(path_.string());
    std::map<std::string, int> found;
    for (int s = 0; s < 3; ++s) {
      const SplitData* data = dataset.split(static_cast<Split>(s));
      for (int64_t i = 0; data != nullptr && i < data->size(); ++i) found[data->id(i)] = s;
    }
    return found;
  }

  std::filesystem::path path_;
  PrepOptions options_;
  PrepHooks hooks_;
  std::string said_;
  std::vector<InputError> errors_;
  std::vector<std::string> seen_;
};

List hundred() {
  List list;
  for (int i = 0; i < 100; ++i) list.add(std::to_string(i) + " 7", i % 2 == 0 ? "10" : "9");
  return list;
}

TEST_F(PrepRows, DividesFitsAndMeasuresTrainAlone) {
  List list = hundred();
  const PrepResult result = prepare_all(list);
  EXPECT_EQ(result.in_split, (std::array<int64_t, 3>{80, 10, 10}));
  const Dataset dataset = Dataset::open(path_.string());
  EXPECT_EQ(dataset.meta().classes, (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(dataset.meta().task, "table-classification");
  EXPECT_EQ(dataset.meta().parts.at("part"), (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_NE(dataset.meta().provenance.find(R"("label":"y","split":"80/10/10")"), std::string::npos);
  ASSERT_EQ(seen_.size(), 80U);
  double sum = 0, squares = 0;
  for (const std::string& raw : seen_) {
    const double v = *parse_double(words(raw)[0]);
    sum += v;
    squares += v * v;
  }
  EXPECT_FLOAT_EQ(dataset.meta().mean[0], static_cast<float>(sum / 80));
  EXPECT_FLOAT_EQ(dataset.meta().std[0], static_cast<float>(std::sqrt(squares / 80 - sum / 80 * sum / 80)));
  EXPECT_EQ(dataset.meta().mean[1], 7);
  EXPECT_EQ(dataset.meta().std[1], 1) << "a column that never varies";
}

TEST_F(PrepRows, SameBytesAtAnyNumberOfThreads) {
  std::vector<uint8_t> first;
  for (const int threads : {1, 2, 5}) {
    List list;
    for (int i = 0; i < 3000; ++i) list.add(std::to_string(i * 0.37) + " " + std::to_string(i % 13), i % 3 ? "a" : "b");
    options_.threads = threads;
    prepare_all(list);
    const std::vector<uint8_t> bytes = read_file(path_.string());
    if (first.empty()) first = bytes;
    EXPECT_EQ(bytes, first) << threads;
  }
}

TEST_F(PrepRows, SplitsOfFilesStand) {
  List list = hundred();
  for (size_t i = 0; i < 100; ++i) list.all[i].split = i < 60 ? Split::train : Split::test;
  const PrepResult result = prepare_all(list);
  EXPECT_EQ(result.in_split, (std::array<int64_t, 3>{60, 0, 40}));
  EXPECT_EQ(splits().at("f:60"), 0);
  EXPECT_EQ(splits().at("f:61"), 2);
}

TEST_F(PrepRows, EqualKeysAndEqualRecordsNeverPart) {
  List list = hundred();
  for (size_t i = 0; i < 100; ++i) list.all[i].key = std::to_string(i / 10);
  list.all[99].raw = list.all[0].raw;  // joins the first ten and the last ten
  prepare_all(list);
  const auto found = splits();
  for (int i = 0; i < 100; ++i) {
    const int group = i / 10 == 9 ? 0 : i / 10;
    EXPECT_EQ(found.at("f:" + std::to_string(i + 1)), found.at("f:" + std::to_string(group * 10 + 1))) << i;
  }
  EXPECT_TRUE(said("1 rows are exact copies"));
  EXPECT_TRUE(said("1 of the copies carry another class"));
}

TEST_F(PrepRows, CopiesAcrossGivenSplitsAreNamed) {
  List list = hundred();
  for (size_t i = 0; i < 100; ++i) list.all[i].split = i < 60 ? Split::train : Split::test;
  list.all[70].raw = list.all[4].raw;
  prepare_all(list);
  EXPECT_TRUE(said("equal: f:5 (train) and f:71 (test)"));
}

TEST_F(PrepRows, BadRecordsAreNamedCountedAndBounded) {
  List list = hundred();
  list.all[3].problem = "has 2 fields, expected 3";
  list.all[50].raw = "rubbish";
  EXPECT_EQ(status_of(list), Exit::bad_inputs);
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_EQ(errors_.size(), 2U);
  EXPECT_EQ(errors_[1].message, "is not two numbers");
  options_.max_errors = {2, false};
  EXPECT_EQ(prepare_all(list).samples, 98);
  ASSERT_EQ(errors_.size(), 2U);
  EXPECT_EQ(errors_[0].id, "f:4");
  EXPECT_EQ(errors_[1].id, "f:51");
}

TEST_F(PrepRows, ClassNamesOrderAndNameNumbers) {
  List list = hundred();
  for (size_t i = 0; i < 100; ++i) list.all[i].label = i % 2 == 0 ? "0" : "1";
  options_.class_names = {"no", "yes"};
  EXPECT_EQ(prepare_all(list).classes, options_.class_names);
  list.all[7].label = "2";
  EXPECT_EQ(status_of(list), Exit::usage);
  EXPECT_TRUE(said("--class-names lacks the class '2'"));
}

TEST_F(PrepRows, UnlabelledRecordsAreKept) {
  List list = hundred();
  list.all[0].label = list.all[1].label = "";
  EXPECT_EQ(prepare_all(list).samples, 100);
  const Dataset dataset = Dataset::open(path_.string());
  int64_t without = 0;
  for (int s = 0; s < 3; ++s) {
    const SplitData* data = dataset.split(static_cast<Split>(s));
    without += std::count(data->labels().begin(), data->labels().end(), -1);
  }
  EXPECT_EQ(without, 2);
}

TEST_F(PrepRows, TargetsAreMeasuredOnTrain) {
  const float none = std::numeric_limits<float>::quiet_NaN();
  List list = hundred();
  for (size_t i = 0; i < 100; ++i) {
    list.all[i].split = i < 50 ? Split::train : Split::test;
    list.all[i].targets = {static_cast<float>(i), i == 0 ? none : 1e6F + static_cast<float>(i % 2)};
  }
  prepare_all(list, {"price", "size"});
  const Dataset dataset = Dataset::open(path_.string());
  EXPECT_EQ(dataset.meta().classes, (std::vector<std::string>{"price", "size"}));
  EXPECT_FLOAT_EQ(dataset.meta().target_mean[0], 24.5F);
  EXPECT_FLOAT_EQ(dataset.meta().target_std[0], std::sqrt(2499.0F / 12));
  EXPECT_FLOAT_EQ(dataset.meta().target_mean[1], 1e6F + 25.0F / 49);
  EXPECT_NEAR(dataset.meta().target_std[1], 0.5, 1e-3);
  EXPECT_EQ(dataset.split(Split::test)->targets()[2], 51);
  for (LabelledRecord& record : list.all) record.targets = {3, 3};
  EXPECT_EQ(status_of(list, {"price", "size"}), Exit::no_input);
  EXPECT_TRUE(said("'price': all training rows have the same number"));
}

TEST_F(PrepRows, WhatCannotBeADataset) {
  List none, one_class = hundred(), only_test = hundred(), changing = hundred();
  EXPECT_EQ(status_of(none), Exit::no_input);
  EXPECT_TRUE(said("no rows found"));
  for (LabelledRecord& record : one_class.all) record.label = "a";
  EXPECT_EQ(status_of(one_class), Exit::no_input);
  EXPECT_TRUE(said("all training records are of one class, 'a'"));
  for (LabelledRecord& record : only_test.all) record.split = Split::test;
  EXPECT_EQ(status_of(only_test), Exit::no_input);
  EXPECT_TRUE(said("none of the rows is training data"));
  changing.shrinks = true;
  EXPECT_EQ(status_of(changing), Exit::failed);
  EXPECT_TRUE(said("changed while read"));
}

TEST(ColumnSums, LargeOffsetsCostNoDigits) {
  ColumnSums sums;
  std::vector<float> mean, std;
  for (int i = 0; i < 100000; ++i) {
    const float x[] = {16'000'000.0F + static_cast<float>(i % 2), 3};
    sums.add(x, 2);
  }
  sums.statistics(2, mean, std);
  EXPECT_FLOAT_EQ(std[0], 0.5F);
  EXPECT_FLOAT_EQ(mean[1], 3);
  EXPECT_EQ(std[1], 1);
}

}  // namespace
}  // namespace lepton
