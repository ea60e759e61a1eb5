#include "io/audio.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <limits>
#include <thread>

#include "base/error.h"
#include "io/files.h"

namespace lepton {
namespace {

std::vector<uint8_t> testdata(const std::string& name) { return read_file(LEPTON_TESTDATA "/audio/" + name); }

void put(std::vector<uint8_t>& to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to.push_back(static_cast<uint8_t>(value >> 8 * i));
}

// A WAV file of one channel; `declared` is what its data chunk says it holds.
std::vector<uint8_t> wav(int tag, int bits, uint32_t rate, const std::vector<uint8_t>& data, uint64_t declared) {
  std::vector<uint8_t> out;
  const auto name = [&](const std::string& text) { std::copy(text.begin(), text.end(), std::back_inserter(out)); };
  name("RIFF");
  put(out, 36 + data.size(), 4);
  name("WAVE");
  name("fmt ");
  put(out, 16, 4);
  put(out, static_cast<uint64_t>(tag), 2);
  put(out, 1, 2);
  put(out, rate, 4);
  put(out, rate * static_cast<uint64_t>(bits / 8), 4);
  put(out, static_cast<uint64_t>(bits / 8), 2);
  put(out, static_cast<uint64_t>(bits), 2);
  name("data");
  put(out, declared, 4);
  std::copy(data.begin(), data.end(), std::back_inserter(out));
  return out;
}

std::vector<uint8_t> floats(const std::vector<float>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return wav(3, 32, 8000, bytes, bytes.size());
}

std::string failure(const std::vector<uint8_t>& bytes, const AudioLimits& limits = {}) {
  try {
    decode_audio(bytes, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::bad_inputs);
    return error.what();
  }
  return "";
}

TEST(Audio, EveryFormatHoldsTheSameSound) {
  const std::vector<float> exact = decode_audio(testdata("pcm16.wav"), {}).samples;
  ASSERT_EQ(exact.size(), 1200U);
  EXPECT_EQ(exact[0], 0);
  struct Case {
    const char* name;
    double tolerance;
  };
  for (const Case& c : {Case{"pcm8.wav", 1.0 / 128},
                        {"pcm24.wav", 0},
                        {"pcm32.wav", 0},
                        {"float32.wav", 0},
                        {"float64.wav", 0},
                        {"alaw.wav", 0.02},
                        {"ulaw.wav", 0.02},
                        {"extensible.wav", 0},
                        {"rf64.wav", 0},
                        {"pcm16.w64", 0},
                        {"pcm16.flac", 0},
                        {"pcm16.aiff", 0},
                        {"pcm16.au", 0},
                        {"pcm16.caf", 0},
                        {"vorbis.ogg", 0.1}}) {
    const std::vector<uint8_t> bytes = testdata(c.name);
    const AudioInfo info = decode_audio_header(bytes, {});
    EXPECT_EQ(info.rate, 8000) << c.name;
    EXPECT_EQ(info.channels, 1) << c.name;
    const Audio audio = decode_audio(bytes, {});
    ASSERT_EQ(std::ssize(audio.samples), info.frames) << c.name;
    ASSERT_EQ(audio.samples.size(), exact.size()) << c.name;
    double worst = 0;
    for (size_t i = 0; i < exact.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(audio.samples[i] - exact[i])));
    EXPECT_LE(worst, c.tolerance) << c.name;
  }
  const Audio mp3 = decode_audio(testdata("layer3.mp3"), {});  // an encoder adds a delay of its own
  EXPECT_EQ(mp3.rate, 8000);
  EXPECT_GE(mp3.samples.size(), 1200U);
}

TEST(Audio, ChannelsAreMixedToTheirMean) {
  const std::vector<float> exact = decode_audio(testdata("pcm16.wav"), {}).samples;
  const std::vector<uint8_t> bytes = testdata("stereo.wav");
  EXPECT_EQ(decode_audio_header(bytes, {}).channels, 2);
  const std::vector<float> mixed = decode_audio(bytes, {}).samples;
  ASSERT_EQ(mixed.size(), exact.size());
  for (size_t i = 0; i < exact.size(); ++i) ASSERT_NEAR(mixed[i], 0.75F * exact[i], 1e-6);
}

TEST(Audio, BadRecordingsAreRefusedByWhatIsWrong) {
  const std::vector<uint8_t> data(80, 1);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  std::vector<uint8_t> flac = testdata("pcm16.flac"), aiff = testdata("pcm16.aiff"), au = testdata("pcm16.au");
  for (std::vector<uint8_t>* cut : {&flac, &aiff, &au}) cut->erase(cut->end() - 600, cut->end());
  struct Case {
    std::vector<uint8_t> bytes;
    const char* message;
  };
  for (const Case& c : {Case{{}, "is empty"},
                        {{'R', 'I', 'F', 'F'}, "not a recording"},
                        {wav(1, 16, 8000, {}, 0), "holds no samples"},
                        {wav(1, 16, 0, data, 80), "its rate is 0"},
                        {wav(1, 16, 99, data, 80), "its rate is 99 Hz: expected 100 to 1,000,000"},
                        {wav(1, 16, 8000, data, 800), "is truncated: ends after 40 of 400 frames"},
                        {wav(1, 48, 8000, data, 80), "is 48-bit PCM: 8 to 32 bits"},
                        {wav(1, 64, 8000, data, 80), "is 64-bit PCM"},
                        {wav(3, 16, 8000, data, 80), "is 16-bit floating point"},
                        {floats({0, 0.5F, kNan}), "sample 2 is nan"},
                        {floats({0, -kInf}), "sample 1 is -inf"},
                        {floats({1e30F}), "sample 0 is 1e+30"},
                        {flac, "is truncated: ends after"},
                        {aiff, "is truncated: ends after"},
                        {au, "is truncated: ends after"}}) {
    const std::string message = failure(c.bytes);
    EXPECT_NE(message.find(c.message), std::string::npos) << "expected: " << c.message << "\nfound: " << message;
  }
  EXPECT_NE(failure(testdata("pcm16.wav"), {0.1}).find("is 0.1 s long, more than the limit of 0.1 s"),
            std::string::npos);
  EXPECT_EQ(failure(testdata("pcm16.wav"), {0.15}), "");
}

TEST(Audio, AStreamedWavOfUnknownLengthIsReadToItsEnd) {
  EXPECT_EQ(decode_audio(wav(1, 16, 8000, std::vector<uint8_t>(80, 1), 0xFFFFFFFF), {}).samples.size(), 40U);
}

TEST(Audio, IsKnownByItsContent) {
  EXPECT_TRUE(looks_like_audio(testdata("pcm16.wav")));
  for (const std::string text : {"", "RIFF0000AVI ", "\xFF\xD8\xFF\xE0", "\xFF\xFEt\0", "text", "\x89PNG"}) {
    EXPECT_FALSE(looks_like_audio({reinterpret_cast<const uint8_t*>(text.data()), text.size()})) << text;
  }
}

TEST(Audio, FaultsAreNotMixedUpByThreads) {
  const std::vector<uint8_t> damaged = wav(99, 16, 8000, std::vector<uint8_t>(80, 1), 80),
                             empty = wav(1, 16, 8000, {}, 0);
  const std::string expected = failure(damaged);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i)
        EXPECT_EQ(failure(t == 0 ? damaged : empty), t == 0 ? expected : "holds no samples");
    });
  }
}

TEST(Audio, ResamplingKeepsAToneAndDropsWhatDoesNotFit) {
  const auto tone = [](double hertz, double rate, size_t n) {
    std::vector<float> s(n);
    for (size_t i = 0; i < n; ++i)
      s[i] = static_cast<float>(std::sin(2 * 3.141592653589793 * hertz * static_cast<double>(i) / rate));
    return s;
  };
  const std::vector<float> half = resample(tone(440, 16000, 16001), 16000, 8000);
  ASSERT_EQ(half.size(), 8001U);
  const std::vector<float> wanted = tone(440, 8000, 8001);
  for (size_t i = 200; i < 7800; ++i) ASSERT_NEAR(half[i], wanted[i], 1e-3);
  const std::vector<float> dropped = resample(tone(6000, 16000, 16000), 16000, 8000);
  for (size_t i = 200; i < 7800; ++i) ASSERT_NEAR(dropped[i], 0, 1e-3);
  const std::vector<float> up = resample(tone(440, 8000, 8000), 8000, 11025), expected = tone(440, 11025, 11025);
  ASSERT_EQ(up.size(), 11025U);
  for (size_t i = 300; i < 10700; ++i) ASSERT_NEAR(up[i], expected[i], 1e-3);
  EXPECT_EQ(resample({1}, 8000, 100).size(), 1U);
  EXPECT_THROW(resample({1, 2}, 100, 192000), Error);
}

// Hostile and odd files that do not ship: each must decode or be refused, and nothing else.
TEST(Audio, SharedTortureFiles) {
  const char* data = std::getenv("LEPTON_SHARED_DATA");
  if (!data) GTEST_SKIP() << "LEPTON_SHARED_DATA does not name the data folder: torture files not tried";
  int decoded = 0, refused = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::filesystem::path(data) / "torture" / "wav")) {
    if (!entry.is_regular_file()) continue;
    const std::string message = failure(read_file(entry.path()));
    ++(message.empty() ? decoded : refused);
    if (!message.empty()) std::printf("%s %s\n", entry.path().filename().c_str(), message.c_str());
  }
  EXPECT_GT(decoded, 40);
  EXPECT_GT(refused, 5);
}

}  // namespace
}  // namespace lepton
