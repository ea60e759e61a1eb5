#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "base/shape.h"
#include "base/tensor.h"
#include "base/text.h"

namespace lepton {
namespace {

TEST(Shape, ElementsAndText) {
  EXPECT_EQ((Shape{32, 32, 3}).elements(), 3072);
  EXPECT_EQ((Shape{32, 32, 3}).to_string(), "32x32x3");
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
}

// Known answer of Random123's kat_vectors for philox4x32-10 with all-ones input.
TEST(Random, PhiloxKnownAnswer) {
  const Random4 r = philox(~0ULL, ~0ULL, ~0ULL);
  EXPECT_EQ(r.v[0], 0x408f276dU);
  EXPECT_EQ(r.v[1], 0x41c83b0eU);
  EXPECT_EQ(r.v[2], 0xa20bc7c6U);
  EXPECT_EQ(r.v[3], 0x6d5451fdU);
}

TEST(Text, TsvRoundTrip) {
  for (const std::string text : {"plain", "a\tb\nc\\d\r", "\\t", "trailing\\"}) {
    EXPECT_EQ(unescape_tsv(escape_tsv(text)), text);
    EXPECT_EQ(escape_tsv(text).find_first_of("\t\n\r"), std::string::npos);
  }
}

TEST(Text, NearestOffersOnlyWhatIsNear) {
  EXPECT_EQ(nearest("epocs", {"epochs", "batch"}), "epochs");
  EXPECT_EQ(nearest("sede", {"seed", "batch"}), "seed");
  EXPECT_EQ(nearest("zzz", {"epochs", "batch"}), "");
}

TEST(Text, Numbers) {
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(-123), "-123");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(parse_int("12"), 12);
  EXPECT_FALSE(parse_int("12x"));
  EXPECT_FALSE(parse_int(""));
  EXPECT_EQ(parse_double("0.5"), 0.5);
}

TEST(Text, Bytes) {
  EXPECT_EQ(parse_bytes("4096"), 4096);
  EXPECT_EQ(parse_bytes("2k"), 2048);
  EXPECT_EQ(parse_bytes("512M"), int64_t{512} << 20);
  EXPECT_EQ(parse_bytes("1.5G"), int64_t{1536} << 20);
  EXPECT_EQ(parse_bytes("1T"), int64_t{1} << 40);
  for (const char* bad : {"", "M", "12x", "1KB", "-1", "nan", "1e30", "8000000T", " 1"}) {
    EXPECT_FALSE(parse_bytes(bad)) << bad;
  }
}

TEST(Text, Splitting) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(words("  a \t b\n"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(trim(" a b \n"), "a b");
}

TEST(ParameterSet, MissingTensorIsNamed) {
  ParameterSet set{{{"conv1/kernel", {1}, {2.0F}}}};
  EXPECT_EQ(set.at("conv1/kernel").values[0], 2.0F);
  try {
    (void)set.at("conv2/kernel");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::mismatch);
    EXPECT_NE(std::string(error.what()).find("conv2/kernel"), std::string::npos);
  }
}

}  // namespace
}  // namespace lepton
