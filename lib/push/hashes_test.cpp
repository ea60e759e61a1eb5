#include "push/hashes.h"

#include <gtest/gtest.h>

#include <fstream>

namespace lepton {
namespace {

TEST(Hashes, KnownAnswers) {
  const FileHashes empty = hash_text("");
  EXPECT_EQ(empty.md5, "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(empty.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash_text("abc").md5, "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(crc32c_text("123456789"), "e3069283");
  EXPECT_EQ(crc32c_text(std::string(32, '\0')), "8a9136aa");  // RFC 3720 appendix B.4
}

TEST(Hashes, AFileIsItsText) {
  const std::string path = testing::TempDir() + "hashes-file";
  std::string text(3 << 20, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
  std::ofstream(path) << text;
  EXPECT_EQ(hash_file(path), hash_text(text));
  EXPECT_EQ(crc32c_file(path), crc32c_text(text));
}

}  // namespace
}  // namespace lepton
