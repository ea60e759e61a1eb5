#include "io/image.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "base/error.h"
#include "io/image_codecs.h"

namespace lepton {
namespace {

constexpr int64_t kHeight = 16, kWidth = 24;  // of every picture in testdata/images

std::vector<uint8_t> file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<uint8_t> test_file(const std::string& name) {
  return file_bytes(std::filesystem::path(LEPTON_TESTDATA) / "images" / name);
}

// The message decoding fails with, "" if it does not.
std::string failure(std::span<const uint8_t> bytes, const DecodeLimits& limits = {}) {
  try {
    (void)decode_image(bytes, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::bad_inputs);
    return error.what();
  }
  return "";
}

using Value = std::function<double(int64_t y, int64_t x, int64_t channel)>;

double gradient(int64_t y, int64_t x, int64_t k) {
  return static_cast<double>(k == 0 ? 10 * x : k == 1 ? 16 * y : 255 - 5 * (x + y));
}
double half_white(int64_t y, int64_t x, int64_t k) { return (gradient(y, x, k) * 128 + 255 * 127) / 255; }
Value levels(int64_t maximum) {
  return [maximum](int64_t, int64_t x, int64_t) { return static_cast<double>(x % (maximum + 1) * 255 / maximum); };
}
double colour(int64_t entry, int64_t k) {
  return static_cast<double>(k == 0 ? 10 * entry : k == 1 ? 100 + entry : 255 - entry);
}
Value palette(int64_t size) {
  return [size](int64_t, int64_t x, int64_t k) { return colour(x % size, k); };
}
double transparent_palette(int64_t, int64_t x, int64_t k) {
  if (x == 0) return 255;
  return x == 1 ? (colour(1, k) * 128 + 255 * 127) / 255 : colour(x, k);
}

struct Case {
  const char* file;
  int64_t channels;
  Value value;
  double tolerance;  // of every sample; lossy files differ
};

class DecodeTest : public testing::TestWithParam<Case> {};

TEST_P(DecodeTest, PixelsAreAsDrawn) {
  const Case& wanted = GetParam();
  const std::vector<uint8_t> bytes = test_file(wanted.file);
  const Image image = decode_image(bytes, {});
  ASSERT_EQ(image.height, kHeight);
  ASSERT_EQ(image.width, kWidth);
  ASSERT_EQ(image.channels, wanted.channels);
  ASSERT_EQ(image.pixels.size(), static_cast<size_t>(kHeight * kWidth * wanted.channels));
  size_t i = 0;
  for (int64_t y = 0; y < kHeight; ++y) {
    for (int64_t x = 0; x < kWidth; ++x) {
      for (int64_t k = 0; k < wanted.channels; ++k) {
        ASSERT_NEAR(image.pixels[i++], wanted.value(y, x, k), wanted.tolerance) << "at " << y << "," << x << "," << k;
      }
    }
  }
  const Image header = decode_image_header(bytes, {});
  EXPECT_EQ(header.height, kHeight);
  EXPECT_EQ(header.width, kWidth);
  EXPECT_EQ(header.channels, wanted.channels);
  EXPECT_TRUE(header.pixels.empty());
}

TEST_P(DecodeTest, EveryTruncationIsAnError) {
  const std::vector<uint8_t> bytes = test_file(GetParam().file);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(failure(std::span(bytes).first(size)), "") << "cut to " << size << " of " << bytes.size() << " bytes";
  }
  const std::string message = failure(std::span(bytes).first(bytes.size() - 2));
  EXPECT_NE(message.find("truncated"), std::string::npos) << message;
}

const Case kCases[] = {
    {"baseline.jpg", 3, gradient, 8},
    {"subsampled.jpg", 3, gradient, 20},
    {"progressive.jpg", 3, gradient, 8},
    {"gray.jpg", 1, gradient, 8},
    {"rgb.jpg", 3, gradient, 8},
    {"cmyk.jpg", 3, gradient, 8},
    {"exif2.jpg", 3, gradient, 8},
    {"exif3.jpg", 3, gradient, 8},
    {"exif4.jpg", 3, gradient, 8},
    {"exif5.jpg", 3, gradient, 8},
    {"exif6.jpg", 3, gradient, 8},
    {"exif7.jpg", 3, gradient, 8},
    {"exif8.jpg", 3, gradient, 8},
    {"rgb.png", 3, gradient, 0},
    {"rgb-interlaced.png", 3, gradient, 0},
    {"rgb16.png", 3, gradient, 0},
    {"gray.png", 1, gradient, 0},
    {"gray16.png", 1, gradient, 0},  // stored as 257 v + 100, which rounds to v
    {"gray1.png", 1, levels(1), 0},
    {"gray2.png", 1, levels(3), 0},
    {"gray4.png", 1, levels(15), 0},
    {"palette1.png", 3, palette(2), 0},
    {"palette2.png", 3, palette(4), 0},
    {"palette4.png", 3, palette(16), 0},
    {"palette8.png", 3, palette(256), 0},
    {"palette-trns.png", 3, transparent_palette, 0.5},
    {"rgba.png", 3, half_white, 0.5},
    {"gray-alpha.png", 1, half_white, 0.5},
    {"gray-trns.png", 1, [](int64_t y, int64_t x, int64_t k) { return x == 1 ? 255.0 : gradient(y, x, k); }, 0},
    {"exif6.png", 3, gradient, 0},
    {"exif6-late.png", 3, gradient, 0},
};
INSTANTIATE_TEST_SUITE_P(Files, DecodeTest, testing::ValuesIn(kCases), [](const auto& test) {
  std::string name = test.param.file;
  for (char& letter : name) letter = std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
  return name;
});

TEST(Image, FormatIsByContent) {
  EXPECT_EQ(image_format(test_file("gray.jpg")), ImageFormat::jpeg);
  EXPECT_EQ(image_format(test_file("gray.png")), ImageFormat::png);
  EXPECT_EQ(image_format({}), ImageFormat::unknown);
  const std::vector<uint8_t> text = {'h', 'e', 'l', 'l', 'o'};
  EXPECT_NE(failure(text).find("neither JPEG nor PNG"), std::string::npos);
  EXPECT_NE(failure({}).find("empty"), std::string::npos);
}

TEST(Image, MaxPixelsIsInclusive) {
  for (const char* name : {"gray.jpg", "gray.png", "exif6.jpg"}) {
    EXPECT_EQ(failure(test_file(name), {kHeight * kWidth}), "") << name;
    const std::string message = failure(test_file(name), {kHeight * kWidth - 1});
    EXPECT_NE(message.find("383 pixels"), std::string::npos) << message;
  }
}

// Position of the first marker of the kind given: 0xFF and `kind`.
size_t marker(const std::vector<uint8_t>& jpeg, uint8_t kind) {
  for (size_t i = 0; i + 1 < jpeg.size(); ++i) {
    if (jpeg[i] == 0xFF && jpeg[i + 1] == kind) return i;
  }
  ADD_FAILURE() << "no marker " << static_cast<int>(kind);
  return 0;
}

TEST(Jpeg, UnsupportedKindsAreNamed) {
  std::vector<uint8_t> lossless = test_file("baseline.jpg");
  const size_t frame = marker(lossless, 0xC0);
  lossless[frame + 1] = 0xC3;
  EXPECT_NE(failure(lossless).find("lossless JPEG (SOF3) is not supported"), std::string::npos) << failure(lossless);
  std::vector<uint8_t> deep = test_file("baseline.jpg");
  deep[frame + 4] = 12;
  EXPECT_NE(failure(deep).find("12-bit JPEG is not supported"), std::string::npos) << failure(deep);
}

TEST(Jpeg, TruncationNamesTheByte) {
  const std::vector<uint8_t> bytes = test_file("baseline.jpg");
  EXPECT_EQ(failure(std::span(bytes).first(700)), "truncated JPEG at byte 700");
}

TEST(Jpeg, DamagedEntropyIsAnError) {
  std::vector<uint8_t> bytes = test_file("baseline.jpg");
  bytes[bytes.size() - 20] = 0xFF;  // a marker inside the data
  bytes[bytes.size() - 19] = 0xD9;
  EXPECT_NE(failure(bytes).find("corrupt JPEG at byte"), std::string::npos) << failure(bytes);
}

// Some writers leave the spectral fields of a sequential scan zero; its pixels do not depend on them.
TEST(Jpeg, ZeroSpectralFieldsAreNoDamage) {
  std::vector<uint8_t> bytes = test_file("gray.jpg");
  const size_t scan = marker(bytes, 0xDA);
  ASSERT_EQ(bytes[scan + 8], 63);
  bytes[scan + 8] = 0;
  EXPECT_EQ(failure(bytes), "");
}

TEST(Jpeg, SizeBeyondTheDataIsRefused) {
  std::vector<uint8_t> bytes = test_file("progressive.jpg");
  const size_t frame = marker(bytes, 0xC2);
  bytes[frame + 5] = bytes[frame + 7] = 0x20;  // 8,208 x 8,216 pixels in 625 bytes
  EXPECT_NE(failure(bytes).find("cannot be held in so few bytes"), std::string::npos) << failure(bytes);
}

// A scan that says again what is known costs the file a few bytes and the reader a pass over the image.
TEST(Jpeg, ScansAreCounted) {
  const std::vector<uint8_t> bytes = test_file("progressive.jpg");
  const std::vector<uint8_t> rest(bytes.begin() + static_cast<long>(marker(bytes, 0xDA)) + 2, bytes.end());
  const size_t begin = bytes.size() - rest.size() + marker(rest, 0xDA);  // the second scan: luma, coefficients 1 to 5
  size_t end = begin + 2;
  while (bytes[end] != 0xFF || bytes[end + 1] == 0) ++end;
  std::vector<uint8_t> scan(bytes.begin() + static_cast<long>(begin), bytes.begin() + static_cast<long>(end));
  ASSERT_EQ(scan[7], 1);
  scan[9] = 0;  // all bits at once, so that repeating it is no inconsistency
  std::vector<uint8_t> bomb(bytes.begin(), bytes.begin() + static_cast<long>(begin));
  for (int i = 0; i < 200; ++i) bomb.insert(bomb.end(), scan.begin(), scan.end());
  bomb.insert(bomb.end(), {0xFF, 0xD9});
  EXPECT_NE(failure(bomb).find("more than 100 scans"), std::string::npos) << failure(bomb);
}

TEST(Jpeg, TablesOfOneFileDoNotServeTheNext) {
  std::vector<uint8_t> bytes = test_file("gray.jpg");
  const size_t table = marker(bytes, 0xDB), length = 2 + bytes[table + 2] * 256U + bytes[table + 3];
  bytes.erase(bytes.begin() + static_cast<long>(table), bytes.begin() + static_cast<long>(table + length));
  EXPECT_EQ(failure(test_file("gray.jpg")), "");
  EXPECT_NE(failure(bytes), "");
}

TEST(Png, DamageIsAnError) {
  std::vector<uint8_t> bytes = test_file("rgb.png");
  bytes[500] ^= 1;
  EXPECT_NE(failure(bytes).find("corrupt PNG at byte"), std::string::npos) << failure(bytes);
}

// Byte positions: signature 8, IHDR 25, PLTE 12 + 72, then tRNS with its length, name, two values and checksum.
TEST(Png, DamagedTransparencyIsAnError) {
  std::vector<uint8_t> bytes = test_file("palette-trns.png");
  ASSERT_EQ(bytes[8 + 25 + 84 + 4], 't');
  bytes[8 + 25 + 84 + 8] ^= 1;
  EXPECT_NE(failure(bytes).find("tRNS"), std::string::npos) << failure(bytes);
}

TEST(Png, DamagedSignatureIsNamed) {
  std::vector<uint8_t> bytes = test_file("gray.png");
  bytes.erase(bytes.begin() + 4);  // the carriage return, as text mode drops it
  EXPECT_NE(failure(bytes).find("damaged signature"), std::string::npos) << failure(bytes);
}

TEST(Png, SizeBeyondTheDataIsRefused) {
  std::vector<uint8_t> bytes = test_file("gray.png");
  bytes[18] = bytes[22] = 0x20;     // 8,216 x 8,208 pixels in 96 bytes
  const uint32_t sum = 0x606E5602;  // of the header as changed
  for (size_t i = 0; i < 4; ++i) bytes[29 + i] = static_cast<uint8_t>(sum >> (24 - 8 * i));
  EXPECT_NE(failure(bytes).find("cannot be held in so few bytes"), std::string::npos) << failure(bytes);
}

TEST(Png, EncodingRoundTrips) {
  for (const int64_t channels : {1, 3}) {
    Image image{5, 7, channels, {}};
    for (int64_t i = 0; i < 35 * channels; ++i) image.pixels.push_back(static_cast<uint8_t>(i * 37));
    const Image again = decode_image(encode_png(image), {});
    EXPECT_EQ(again.height, 5);
    EXPECT_EQ(again.width, 7);
    EXPECT_EQ(again.channels, channels);
    EXPECT_EQ(again.pixels, image.pixels);
  }
}

TEST(Exif, OrientationInBothByteOrders) {
  const std::vector<uint8_t> little = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0};
  const std::vector<uint8_t> big = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0};
  EXPECT_EQ(exif_orientation(little), 6);
  EXPECT_EQ(exif_orientation(big), 8);
  for (size_t size = 0; size < 20; ++size) EXPECT_EQ(exif_orientation(std::span(little).first(size)), 1) << size;
  std::vector<uint8_t> outside = little;
  outside[4] = 0xFF;
  outside[7] = 0xFF;
  EXPECT_EQ(exif_orientation(outside), 1);
  std::vector<uint8_t> nine = little;
  nine[18] = 9;
  EXPECT_EQ(exif_orientation(nine), 1);
}

TEST(Image, GrayAndRgb) {
  const Image rgb{1, 4, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9}};
  EXPECT_EQ(to_gray(rgb).pixels, (std::vector<uint8_t>{76, 150, 29, 9}));
  const Image gray{2, 1, 1, {3, 4}};
  EXPECT_EQ(to_rgb(gray).pixels, (std::vector<uint8_t>{3, 3, 3, 4, 4, 4}));
  EXPECT_EQ(to_gray(gray).pixels, gray.pixels);
}

// Hostile and odd files that do not ship: each must decode or be refused, and nothing else.
TEST(Image, SharedTortureFiles) {
  const char* data = std::getenv("LEPTON_SHARED_DATA");
  if (!data) GTEST_SKIP() << "LEPTON_SHARED_DATA does not name the data folder: torture files not tried";
  int decoded = 0, refused = 0;
  for (const char* kind : {"png", "jpeg"}) {
    const auto folder = std::filesystem::path(data) / "torture" / kind;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      const std::string message = failure(file_bytes(entry.path()));
      ++(message.empty() ? decoded : refused);
    }
  }
  EXPECT_GT(decoded, 100);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace lepton
