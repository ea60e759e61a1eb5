// Features beside librosa's (scripts/make-testdata-audio), and cutting to length.
#include "data/features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/sound.h"
#include "io/audio.h"
#include "io/files.h"

namespace lepton {
namespace {

FeatureSpec spec_of(const nlohmann::json& json) {
  FeatureSpec spec;
  if (json["kind"] == "mfcc") spec.kind = FeatureKind::mfcc;
  spec.rate = json["rate"];
  spec.window = json["window"];
  spec.hop = json["hop"];
  spec.bands = json["bands"];
  return spec;
}

TEST(Features, AgreeWithLibrosa) {
  const std::vector<float> samples = decode_audio(read_file(LEPTON_TESTDATA "/audio/pcm16.wav", 1 << 20), {}).samples;
  std::ifstream file(LEPTON_TESTDATA "/golden/features.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 6U);
  for (const nlohmann::json& json : cases) {
    const FeaturePlan plan(spec_of(json));
    const auto frames = static_cast<size_t>(plan.spec().frames(std::ssize(samples)));
    const auto width = static_cast<size_t>(plan.spec().width());
    ASSERT_EQ(frames, json["values"].size());
    ASSERT_EQ(width, json["values"][0].size());
    std::vector<float> found(frames * width);
    plan.compute(samples, found);
    double worst = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      worst =
          std::max(worst, std::abs(static_cast<double>(found[i]) - json["values"][i / width][i % width].get<double>()));
    }
    EXPECT_LT(worst, 1e-4) << json["kind"] << " at " << json["rate"];
  }
}

// What lies far below the loudest band is raised; the cepstrum is of what was raised.
TEST(Features, ARangeRaisesWhatIsQuiet) {
  std::vector<float> samples(1000);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = i < 500 ? std::sin(0.8F * static_cast<float>(i)) : 0;
  FeatureSpec spec{FeatureKind::logmel, 8000, 200, 80, 20, 20};
  const auto features = [&] {
    const FeaturePlan plan(spec);
    std::vector<float> out(static_cast<size_t>(spec.frames(std::ssize(samples)) * spec.width()));
    plan.compute(samples, out);
    return out;
  };
  const std::vector<float> plain = features();
  const float most = *std::max_element(plain.begin(), plain.end()), least = most - 3 * std::log(10.0F);
  spec.range_db = 30;
  const std::vector<float> ranged = features();
  size_t raised = 0;
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_NEAR(ranged[i], std::max(plain[i], least), 1e-4) << i;
    raised += plain[i] < least;
  }
  EXPECT_GT(raised, 20U);
  EXPECT_LT(raised, plain.size());
  spec.kind = FeatureKind::mfcc;
  const std::vector<float> cepstrum = features();
  for (size_t t = 0; t < cepstrum.size() / 20; ++t) {  // the first coefficient: the sum over bands by the root of 20
    float sum = 0;
    for (size_t b = 0; b < 20; ++b) sum += ranged[t * 20 + b];
    EXPECT_NEAR(cepstrum[t * 20], sum / std::sqrt(20.0F), 1e-3) << t;
  }
}

TEST(Features, ToneLiesInItsBand) {
  FeatureSpec spec{FeatureKind::logmel, 16000, 400, 160, 40, 13};
  std::vector<float> tone(16000);
  for (size_t i = 0; i < tone.size(); ++i) tone[i] = std::sin(2 * 3.14159265F * 1000 * static_cast<float>(i) / 16000);
  std::vector<float> out(static_cast<size_t>(spec.frames(16000) * spec.width()));
  EXPECT_EQ(out.size(), 98U * 40);
  FeaturePlan(spec).compute(tone, out);
  // 1 kHz is 15 mel, the range 45.2 mel in 41 steps: the peak of band 15 / 1.103 - 1 = 12.6.
  for (size_t t = 0; t < 98; ++t) {
    const auto peak =
        std::max_element(out.begin() + static_cast<int64_t>(t * 40), out.begin() + static_cast<int64_t>(t * 40 + 40));
    EXPECT_NEAR(static_cast<double>(peak - out.begin() - static_cast<int64_t>(t * 40)), 12.6, 1);
  }
}

TEST(Features, SilenceIsTheFloorAndTooManyBandsAreRefused) {
  FeatureSpec spec{FeatureKind::logmel, 8000, 200, 80, 40, 13};
  EXPECT_EQ(spec.fft(), 256);
  EXPECT_EQ(spec.frames(199), 0);
  EXPECT_EQ(spec.frames(280), 2);
  std::vector<float> out(40);
  FeaturePlan(spec).compute(std::vector<float>(200), out);
  for (const float v : out) EXPECT_FLOAT_EQ(v, std::log(1e-6F));
  spec.bands = 200;
  EXPECT_THROW(FeaturePlan{spec}, Error);
}

TEST(Sound, IsCutToLengthOrPadded) {
  const std::vector<float> s = {1, 2, 3, 9, 9};
  EXPECT_EQ(fit_length(s, 3, CropMode::centre), (std::vector<float>{2, 3, 9}));
  EXPECT_EQ(fit_length(s, 3, CropMode::energy), (std::vector<float>{3, 9, 9}));
  EXPECT_EQ(fit_length(s, 8, CropMode::energy), (std::vector<float>{0, 1, 2, 3, 9, 9, 0, 0}));
  EXPECT_EQ(fit_length(s, 5, CropMode::centre), s);
  EXPECT_EQ(fit_length(std::vector<float>(5, 1), 2, CropMode::energy), (std::vector<float>{1, 1}));
}

TEST(Sound, IsBroughtToFullScale) {
  std::vector<float> s = {0.125F, -0.5F, 0}, silent = {0, 0};
  to_full_scale(s);
  EXPECT_EQ(s, (std::vector<float>{0.25F, -1, 0}));
  to_full_scale(silent);
  EXPECT_EQ(silent, (std::vector<float>{0, 0}));
}

TEST(Sound, SilenceIsTrimmedAtBothEnds) {
  std::vector<float> s(8000, 1e-4F);
  std::fill(s.begin() + 3000, s.begin() + 5000, 0.5F);
  std::fill(s.begin() + 3900, s.begin() + 4100, 0.0F);  // a pause inside stays
  const auto kept = trim_silence(s, 8000, 40);
  const auto begin = kept.data() - s.data();
  EXPECT_LE(begin, 3000);
  EXPECT_GT(begin, 3000 - 200);
  EXPECT_GE(begin + std::ssize(kept), 5000);
  EXPECT_LT(begin + std::ssize(kept), 5000 + 200);
  const std::vector<float> silent(500);
  EXPECT_EQ(trim_silence(silent, 8000, 40).size(), 500U);
  EXPECT_EQ(trim_silence(std::vector<float>(3, 1), 8000, 40).size(), 3U);
}

}  // namespace
}  // namespace lepton
