#include "predict/stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "data/recipe_image.h"
#include "io/image.h"
#include "net/parameters.h"

namespace lepton {
namespace {

class Stream : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("lepton-stream-test-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    predictor_.graph = build_graph("conv 4 3x3 relu; maxpool 2; dense 5 relu; dense classes", {6, 6, 1}, 3);
    predictor_.model.weights = initial_parameters(predictor_.graph, 1);
    predictor_.model.mean = {100};
    predictor_.model.std = {50};
    const auto recipe = std::make_shared<ImageRecipe>();
    recipe->width = recipe->height = 6;
    recipe->channels = 1;
    predictor_.recipe = recipe;
    for (int i = 0; i < 70; ++i) names_.push_back(image(i));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string image(int i) {
    Image picture{6, 6, 1, std::vector<uint8_t>(36)};
    for (size_t p = 0; p < 36; ++p) picture.pixels[p] = static_cast<uint8_t>(p * 37 + static_cast<size_t>(i) * 91);
    const std::vector<uint8_t> bytes = encode_png(picture);
    const std::string path = (folder_ / (std::to_string(i) + ".png")).string();
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
    return path;
  }

  std::vector<Answer> answers(int64_t batch, const std::vector<std::string>& names, int decoders = 3) {
    Answerer answerer(predictor_, predictor_.graph.output(), batch, {.device = "cpu", .threads = 1});
    std::vector<Answer> all;
    predict_stream(
        predictor_, answerer, {.max_latency = 0.02, .decoders = decoders},
        [&](const NameSink& sink) {
          for (const std::string& name : names) {
            if (!sink.push(name)) return;
          }
        },
        [&](const Answer& a) { all.push_back(a); }, [] {});
    return all;
  }

  std::filesystem::path folder_;
  Predictor predictor_;
  std::vector<std::string> names_;
};

TEST_F(Stream, KeepsOrderAndDoesNotDependOnTheBatch) {
  const std::vector<Answer> expected = answers(1, names_);
  ASSERT_EQ(expected.size(), names_.size());
  for (const int64_t batch : {2, 7, 64}) {
    const std::vector<Answer> found = answers(batch, names_);
    ASSERT_EQ(found.size(), names_.size());
    for (size_t i = 0; i < names_.size(); ++i) {
      EXPECT_EQ(found[i].input, names_[i]);
      EXPECT_EQ(found[i].values, expected[i].values) << batch << " " << i;
    }
  }
}

TEST_F(Stream, BadInputsKeepTheirPlace) {
  std::vector<std::string> names = names_;
  names[3] = "/no/such/file";
  names[64] = folder_.string();
  const std::vector<Answer> found = answers(16, names), good = answers(16, names_);
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(found[i].error.empty(), i != 3 && i != 64) << i;
    if (found[i].error.empty()) {
      EXPECT_EQ(found[i].values, good[i].values) << i;
    }
  }
  EXPECT_EQ(found[3].error, "No such file or directory");
}

TEST_F(Stream, AnErrorOfTheListComesBehindTheAnswers) {
  Answerer answerer(predictor_, predictor_.graph.output(), 4, {.device = "cpu", .threads = 1});
  size_t answered = 0;
  const auto produce = [&](const NameSink& sink) {
    for (const std::string& name : names_) sink.push(name);
    fail(Exit::no_input, "the list broke");
  };
  EXPECT_THROW(predict_stream(predictor_, answerer, {}, produce, [&](const Answer&) { ++answered; }, [] {}), Error);
  EXPECT_EQ(answered, names_.size());
}

TEST_F(Stream, AFailingReceiverEndsTheProducer) {
  Answerer answerer(predictor_, predictor_.graph.output(), 4, {.device = "cpu", .threads = 1});
  bool ended = false;
  const auto produce = [&](const NameSink& sink) {
    while (sink.wanted()) sink.push(names_[0]);
    ended = true;
  };
  const auto receive = [](const Answer&) { fail(Exit::output, "full"); };
  EXPECT_THROW(predict_stream(predictor_, answerer, {}, produce, receive, [] {}), Error);
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace lepton
