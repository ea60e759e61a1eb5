#include "predict/answer_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "data/file_schema.h"
#include "io/hdf5.h"

namespace lepton {
namespace {

class Answers : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("lepton-answers-test-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    predictor_.graph = build_graph("conv 2 3x3 relu; dense classes", {4, 3, 1}, 3);
    predictor_.model.classes = {"cat", "dog", "emu"};
    predictor_.model.content_sha256 = "cafe";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string target() const { return (folder_ / "answers.h5").string(); }
  // Many more rows than a chunk of any column holds, every thousandth an input that could not be read.
  void write(int64_t count) {
    AnswerFile file(target(), predictor_, predictor_.graph.output(), "");
    for (int64_t i = 0; i < count; ++i) {
      const auto logit = static_cast<float>(i % 7);
      if (i % 1000 == 999) {
        file.add({"bad" + std::to_string(i), {}, std::string(static_cast<size_t>(i % 50), 'x') + "torn"});
      } else {
        file.add({std::to_string(i), {logit, 3.5F, -1}, {}});
      }
    }
    file.finish();
  }

  std::filesystem::path folder_;
  Predictor predictor_;
};

TEST_F(Answers, ComeBackInOrder) {
  constexpr int64_t kCount = 40'000;
  write(kCount);
  const H5Contents file = read_hdf5(target());
  check_format(file, "lepton-predictions");
  EXPECT_EQ(root_text(file, "model"), "cafe");
  EXPECT_EQ(root_text(file, "content_sha256"), content_sha256(file, [](const std::string&) { return true; }));
  EXPECT_EQ(file.data.at("/probabilities").dims, (std::vector<int64_t>{kCount, 3}));
  const std::vector<float> p = read_floats(file, "/probabilities");
  const std::vector<uint8_t> labels = read_all(file, "/label");
  const std::vector<std::string> ids = read_strings(file, "/id"), bad = read_strings(file, "/meta/errors/id"),
                                 messages = read_strings(file, "/meta/errors/message");
  ASSERT_EQ(std::ssize(ids), kCount);
  ASSERT_EQ(bad.size(), 40U);
  EXPECT_EQ(bad[3], "bad3999");
  EXPECT_EQ(messages[3], std::string(49, 'x') + "torn");
  for (const int64_t i : {int64_t{0}, int64_t{5}, int64_t{20'005}, kCount - 2}) {
    EXPECT_EQ(ids[static_cast<size_t>(i)], std::to_string(i));
    const double cat = std::exp(i % 7), dog = std::exp(3.5), emu = std::exp(-1);
    EXPECT_NEAR(p[static_cast<size_t>(3 * i)], cat / (cat + dog + emu), 1e-6);
    int32_t label = -1;
    std::memcpy(&label, labels.data() + 4 * i, 4);
    EXPECT_EQ(label, i % 7 < 4 ? 1 : 0);
  }
  EXPECT_TRUE(std::isnan(p[3 * 999]));
  int64_t row = 0;
  std::memcpy(&row, read_all(file, "/meta/errors/row").data() + 8, 8);
  EXPECT_EQ(row, 1999);
}

TEST_F(Answers, EqualAnswersGiveEqualBytes) {
  write(1234);
  const std::vector<uint8_t> first = read_file(target());
  write(1234);
  EXPECT_EQ(read_file(target()), first);
}

TEST_F(Answers, OfNoInputsAreAFileToo) {
  write(0);
  const H5Contents file = read_hdf5(target());
  EXPECT_EQ(file.data.at("/probabilities").dims, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(file.data.at("/id").rows(), 0);
}

TEST_F(Answers, OfALayerHaveItsShape) {
  AnswerFile file(target(), predictor_, 1, "conv1");
  file.add({"a", std::vector<float>(24, 2.5F), {}});
  file.finish();
  const H5Contents contents = read_hdf5(target());
  EXPECT_EQ(contents.data.at("/embedding").dims, (std::vector<int64_t>{1, 4, 3, 2}));
  EXPECT_EQ(read_floats(contents, "/embedding")[23], 2.5F);
  EXPECT_EQ(root_text(contents, "layer"), predictor_.graph.nodes[1].name);
  EXPECT_FALSE(contents.data.contains("/label"));
}

TEST_F(Answers, LeaveNothingWhenNotFinished) {
  {
    AnswerFile file(target(), predictor_, predictor_.graph.output(), "");
    file.add({"a", {1, 2, 3}, {}});
    LineFile lines((folder_ / "lines").string());
    lines.write("a\n");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace lepton
