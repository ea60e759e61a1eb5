#include "data/recipe_audio.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "io/files.h"

namespace lepton {
namespace {

AudioSettings settings(FeatureKind kind) {
  AudioSettings s;
  s.samples = 1000;
  s.features = {kind, 8000, 200, 80, 40, 13};
  return s;
}

std::vector<float> floats(const Prepared& prepared) {
  std::vector<float> x(prepared.x.size() / sizeof(float));
  std::memcpy(x.data(), prepared.x.data(), prepared.x.size());
  return x;
}

TEST(AudioRecipe, RoundTripsThroughJson) {
  AudioSettings trimmed = settings(FeatureKind::logmel);
  trimmed.trim_db = 40;
  trimmed.level = true;
  trimmed.crop = CropMode::energy;
  trimmed.max_seconds = 7;
  trimmed.features.range_db = 50;
  for (const AudioSettings& s :
       {settings(FeatureKind::logmel), settings(FeatureKind::mfcc), settings(FeatureKind::wave), trimmed}) {
    const AudioRecipe recipe(s);
    const auto again = read_recipe(recipe.json());
    EXPECT_EQ(again->json(), recipe.json());
    EXPECT_EQ(again->sample_shape(), recipe.sample_shape());
    EXPECT_EQ(again->type(), ElementType::f32);
    EXPECT_EQ(recipe.differs(*again), "");
  }
}

// Datasets and models carry this text: changing it makes equal content give other bytes.
TEST(AudioRecipe, JsonIsStable) {
  AudioSettings s = settings(FeatureKind::mfcc);
  s.trim_db = 40;
  EXPECT_EQ(AudioRecipe(s).json(),
            R"({"version":1,"kind":"audio","steps":[{"step":"decode","max_seconds":600,"channels":"mean"},)"
            R"({"step":"rate","hertz":8000,"converter":"sinc-medium"},{"step":"trim","below_db":40},)"
            R"({"step":"length","samples":1000,"crop":"centre"},)"
            R"({"step":"mfcc","window":200,"hop":80,"bands":40,"coefficients":13}]})");
  s = settings(FeatureKind::logmel);
  s.level = true;
  s.features.range_db = 50;
  EXPECT_EQ(AudioRecipe(s).json(),
            R"({"version":1,"kind":"audio","steps":[{"step":"decode","max_seconds":600,"channels":"mean"},)"
            R"({"step":"rate","hertz":8000,"converter":"sinc-medium"},{"step":"level","peak":1},)"
            R"({"step":"length","samples":1000,"crop":"centre"},)"
            R"({"step":"logmel","window":200,"hop":80,"bands":40,"range_db":50}]})");
}

TEST(AudioRecipe, WrongOnesAreRefused) {
  const std::string good = AudioRecipe(settings(FeatureKind::logmel)).json();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& wrong :
       {with(R"("hertz":8000)", R"("hertz":0)"), with(R"("window":200)", R"("window":2000)"),
        with(R"("bands":40)", R"("bands":300)"), with(R"("hop":80)", R"("hop":0)"), with("centre", "left"),
        with("logmel", "melody"), with("sinc-medium", "linear"), with(R"("samples":1000)", R"("samples":1e3)"),
        with(R"("hop":80)", R"("hop":80,"pad":1)"), with(R"("bands":40)", R"("bands":40,"range_db":0)"),
        with(R"("bands":40)", R"("bands":40,"range_db":201)"),
        with(R"({"step":"length","samples":1000,"crop":"centre"},)", "")}) {
    try {
      read_recipe(wrong);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Exit::mismatch) << wrong;
    }
  }
}

TEST(AudioRecipe, PreparesWhatItSays) {
  const std::vector<uint8_t> file = read_file(LEPTON_TESTDATA "/audio/pcm16.wav");
  const std::vector<float> samples = decode_audio(file, {}).samples;  // 1200
  const Prepared wave = AudioRecipe(settings(FeatureKind::wave)).prepare(file);
  EXPECT_FALSE(wave.resampled);
  EXPECT_EQ(floats(wave), std::vector<float>(samples.begin() + 100, samples.begin() + 1100));
  const AudioRecipe logmel(settings(FeatureKind::logmel));
  EXPECT_EQ(logmel.sample_shape(), (Shape{11, 40}));
  EXPECT_EQ(floats(logmel.prepare(file)).size(), 440U);

  AudioSettings other = settings(FeatureKind::wave);
  other.features.rate = 16000;
  other.samples = 2400;
  const Prepared doubled = AudioRecipe(other).prepare(file);
  EXPECT_TRUE(doubled.resampled);
  EXPECT_EQ(floats(doubled).size(), 2400U);
  EXPECT_NE(AudioRecipe(other).differs(AudioRecipe(settings(FeatureKind::wave))).find("8000 Hz"), std::string::npos);
}

TEST(AudioRecipe, ARateTooLowIsABadInput) {
  AudioSettings s = settings(FeatureKind::wave);
  s.features.rate = 1'000'000;
  s.samples = 1;
  std::vector<uint8_t> slow = read_file(LEPTON_TESTDATA "/audio/pcm16.au");
  slow[18] = 0;  // of the big-endian rate: 8000 becomes 64, below what any recipe takes
  EXPECT_THROW(AudioRecipe(s).prepare(slow), Error);
}

}  // namespace
}  // namespace lepton
