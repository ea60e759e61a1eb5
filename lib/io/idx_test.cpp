#include "io/idx.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>

#include "base/error.h"
#include "io/cifar.h"

namespace lepton {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes header(const std::vector<uint8_t>& extents) {
  Bytes bytes = {0, 0, 8, static_cast<uint8_t>(extents.size())};
  for (const uint8_t extent : extents) bytes.insert(bytes.end(), {0, 0, 0, extent});
  return bytes;
}

Bytes with(Bytes bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(i));
  return bytes;
}

TEST(IdxExtents, OnlyWhatCanHoldImagesOrLabels) {
  EXPECT_EQ(idx_extents(header({5})), (std::vector<int64_t>{5}));
  EXPECT_EQ(idx_extents(header({5, 28, 27})), (std::vector<int64_t>{5, 28, 27}));
  EXPECT_EQ(idx_extents(header({5, 8, 9, 3})), (std::vector<int64_t>{5, 8, 9, 3}));
  EXPECT_FALSE(idx_extents(header({5, 8, 9, 4})));
  EXPECT_FALSE(idx_extents(header({5, 8})));
  EXPECT_FALSE(idx_extents(header({5, 0, 8})));
  EXPECT_FALSE(idx_extents(Bytes{0, 0, 9, 1, 0, 0, 0, 1}));  // signed bytes
  EXPECT_FALSE(idx_extents(Bytes{0, 0, 8, 3, 0, 0, 0, 1}));  // cut short
  const Bytes huge = {0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
  EXPECT_FALSE(idx_extents(huge));
  const Bytes wide = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 255, 255, 0, 0, 255, 255};
  EXPECT_FALSE(idx_extents(wide));
}

class IdxFile : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  FileDescriptor write(const Bytes& bytes, bool gzip = false) {
    const gzFile file = ::gzopen(path_.c_str(), gzip ? "wb" : "wbT");
    ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    ::gzclose(file);
    return FileDescriptor(::open(path_.c_str(), O_RDONLY));
  }
  Exit read_all(FileDescriptor fd) {
    try {
      IdxReader reader(std::move(fd), path_);
      Bytes item;
      for (int64_t i = 0; i < reader.size(); ++i) reader.read_next(item);
      reader.finish();
    } catch (const Error& error) {
      return error.status();
    }
    return Exit::ok;
  }
  std::string path_ = testing::TempDir() + "idx." + std::to_string(::getpid());
};

TEST_F(IdxFile, ItemsInOrderTwicePlainOrCompressed) {
  for (const bool gzip : {false, true}) {
    IdxReader reader(write(with(header({3, 2, 2}), 12), gzip), path_);
    EXPECT_EQ(reader.size(), 3);
    EXPECT_EQ(reader.item_shape(), (Shape{2, 2, 1}));
    Bytes item;
    for (int pass = 0; pass < 2; ++pass) {
      for (uint8_t i = 0; i < 3; ++i) {
        reader.read_next(item);
        EXPECT_EQ(item, (Bytes{static_cast<uint8_t>(4 * i), static_cast<uint8_t>(4 * i + 1),
                               static_cast<uint8_t>(4 * i + 2), static_cast<uint8_t>(4 * i + 3)}));
      }
      reader.finish();
      reader.rewind();
    }
  }
}

TEST_F(IdxFile, LengthMustFit) {
  EXPECT_EQ(read_all(write(with(header({3, 2, 2}), 12))), Exit::ok);
  EXPECT_EQ(read_all(write(with(header({3, 2, 2}), 11))), Exit::integrity);
  EXPECT_EQ(read_all(write(with(header({3, 2, 2}), 13))), Exit::integrity);
  EXPECT_EQ(read_all(write(with({}, 30))), Exit::no_input);
}

TEST_F(IdxFile, CompressedAndCutShort) {
  write(with(header({100, 28, 28}), 78400), true);
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 20);
  EXPECT_EQ(read_all(FileDescriptor(::open(path_.c_str(), O_RDONLY))), Exit::integrity);
}

TEST_F(IdxFile, CifarRecordsBecomeInterleaved) {
  Bytes batch(2 * kCifarRecord, 0);
  batch[0] = 9;
  batch[kCifarRecord] = 4;
  for (size_t plane = 0; plane < 3; ++plane)
    batch[kCifarRecord + 1 + plane * 1024 + 5] = static_cast<uint8_t>(10 + plane);
  const FileDescriptor fd = write(batch);
  EXPECT_TRUE(is_cifar_batch(fd, path_));
  Bytes pixels;
  EXPECT_EQ(read_cifar_record(fd, path_, 0, pixels), 9);
  EXPECT_EQ(read_cifar_record(fd, path_, 1, pixels), 4);
  ASSERT_EQ(pixels.size(), 3072U);
  EXPECT_EQ(Bytes(pixels.begin() + 14, pixels.begin() + 19), (Bytes{0, 10, 11, 12, 0}));
  EXPECT_THROW(read_cifar_record(fd, path_, 2, pixels), Error);
}

TEST_F(IdxFile, CifarNeedsWholeRecordsAndKnownLabels) {
  EXPECT_FALSE(is_cifar_batch(write(Bytes(kCifarRecord + 1, 0)), path_));
  EXPECT_FALSE(is_cifar_batch(write(Bytes(kCifarRecord, 10)), path_));
  EXPECT_FALSE(is_cifar_batch(write({}), path_));
}

}  // namespace
}  // namespace lepton
