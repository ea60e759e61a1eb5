#include "io/hdf5.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "base/error.h"
#include "io/guard.h"
#include "io/hdf5_report.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

class Hdf5Test : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (temporary_folder() / "lepton-hdf5-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  fs::path folder_;
};

std::vector<uint8_t> noise(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

Exit status_of(const std::function<void()>& body, std::string* message = nullptr) {
  try {
    body();
  } catch (const Error& error) {
    if (message != nullptr) *message = error.what();
    return error.status();
  }
  return Exit::ok;
}

// Straight from HDF5's description of the filter, slowly.
uint32_t slow_fletcher32(std::span<const uint8_t> bytes) {
  uint32_t sum1 = 0, sum2 = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum1 += static_cast<uint32_t>(bytes[i] << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0));
    sum1 = (sum1 & 0xffff) + (sum1 >> 16);
    sum2 += sum1;
    sum2 = (sum2 & 0xffff) + (sum2 >> 16);
  }
  return sum2 << 16 | sum1;
}

TEST(Fletcher32, EveryLengthAndTheExtremes) {
  for (const size_t length : {0, 1, 2, 3, 15, 16, 17, 255, 4095, 4096, 4097, 8193, 65535, 100'001}) {
    for (const auto& bytes : {noise(length, 1), std::vector<uint8_t>(length, 0), std::vector<uint8_t>(length, 255)}) {
      EXPECT_EQ(fletcher32(bytes), slow_fletcher32(bytes)) << length;
    }
  }
}

// The checksum in the file is libhdf5's, the one compared with it is ours.
TEST_F(Hdf5Test, ChunksOfEveryLengthAreReadBackThroughOurChecksum) {
  for (const int64_t width : {3, 7, 64, 1001}) {
    const std::string file = path("x" + std::to_string(width));
    const int64_t rows = 200'000 / width;
    const auto bytes = noise(static_cast<size_t>(rows * width), 3);
    H5Writer out(file);
    const int64_t row[] = {width};
    out.begin_rows("/g/x", H5Type::u8, row, {.chunk_rows = 17});
    out.append_rows("/g/x", bytes, rows);
    const std::string hash = out.content_sha256();
    out.close();
    const H5Contents contents = read_hdf5(file);
    ASSERT_FALSE(contents.data.at("/g/x").chunks.empty());
    EXPECT_EQ(read_all(contents, "/g/x"), bytes);
    EXPECT_EQ(content_sha256(contents, [](const std::string&) { return true; }), hash);
    for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 1}, {16, 2}, {5, 17}, {rows - 1, 1}, {40, 100}}) {
      std::vector<uint8_t> part(static_cast<size_t>(count * width));
      read_rows(contents, "/g/x", first, count, part);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), bytes.begin() + first * width)) << first;
    }
  }
}

// libhdf5 1.10 finds a chunk's address by walking over all of them: reading would run into its limit of time.
TEST_F(Hdf5Test, AFileOfManyChunksOpensInTime) {
  H5Writer out(path("many"));
  const int64_t row[] = {8}, rows = 60'000;
  out.begin_rows("/x", H5Type::u8, row, {.chunk_rows = 1});
  const auto bytes = noise(static_cast<size_t>(rows * 8), 5);
  out.append_rows("/x", bytes, rows);
  (void)out.content_sha256();
  out.close();
  const H5Contents contents = read_hdf5(path("many"));
  EXPECT_EQ(contents.data.at("/x").chunks.size(), static_cast<size_t>(rows));
  EXPECT_EQ(read_all(contents, "/x"), bytes);
}

TEST_F(Hdf5Test, EveryKindOfValueComesBack) {
  H5Writer out(path("all"));
  const std::vector<std::string> names = {"", "a", "zebra \xc3\xa4", std::string(300, 'y')};
  const std::string json(300'000, '{');
  out.strings("/names", names);
  out.text("/text", json);
  out.text("/empty", "");
  const int64_t dims[] = {50'000};
  const auto numbers = noise(200'000, 9);
  out.dataset("/deep/er/i", H5Type::i32, dims, numbers, {.chunk_rows = 1000, .deflate = true});
  out.attribute("/", "word", "value");
  out.attribute("/deep", "n", 7);
  (void)out.content_sha256();
  out.close();
  const H5Contents contents = read_hdf5(path("all"));
  EXPECT_EQ(read_all(contents, "/deep/er/i"), numbers);
  EXPECT_EQ(std::get<std::string>(contents.attributes.at("/").at("word")), "value");
  EXPECT_EQ(std::get<int64_t>(contents.attributes.at("/deep").at("n")), 7);
  EXPECT_EQ(contents.data.at("/names").string_length, 300);
  const auto text = read_all(contents, "/text");
  EXPECT_EQ(std::string(text.begin(), text.end()), json);
  EXPECT_EQ(read_all(contents, "/empty"), std::vector<uint8_t>{0});
}

TEST_F(Hdf5Test, EqualCallsGiveEqualBytes) {
  for (const char* name : {"a", "b"}) {
    H5Writer out(path(name));
    const int64_t row[] = {100};
    out.begin_rows("/x", H5Type::u8, row, {.chunk_rows = 64});
    out.append_rows("/x", noise(100 * 100, 4), 100);  // the last chunk is partly empty
    out.strings("/s", std::vector<std::string>{"one", "three"});
    (void)out.content_sha256();
    out.close();
    std::vector<uint8_t> dirty(size_t{1} << 22, 0xAA);  // what malloc hands out next is not zero
    ASSERT_EQ(dirty.back(), 0xAA);
  }
  EXPECT_EQ(read_file(path("a")), read_file(path("b")));
}

TEST_F(Hdf5Test, OpensWhileThreadsRun) {
  H5Writer out(path("t"));
  out.strings("/s", std::vector<std::string>{"one"});
  (void)out.content_sha256();
  out.close();
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) std::vector<char>(1000).at(1) = 1;
  });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(read_hdf5(path("t")).data.size(), 1U);
  stop = true;
  busy.join();
}

TEST_F(Hdf5Test, OpensWhileAnotherThreadWrites) {
  H5Writer out(path("t"));
  out.strings("/s", std::vector<std::string>{"one"});
  (void)out.content_sha256();
  out.close();
  H5Writer busy(path("busy"));
  const int64_t row[] = {1000};
  busy.begin_rows("/x", H5Type::u8, row, {.chunk_rows = 100});
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) busy.append_rows("/x", std::vector<uint8_t>(100'000), 100);
  });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(read_hdf5(path("t")).data.size(), 1U);
  stop = true;
  writer.join();
}

TEST_F(Hdf5Test, WhatIsNotHdf5IsSaid) {
  std::string message;
  const auto offer = [&](const std::vector<uint8_t>& bytes) {
    const FileDescriptor file(::open(path("f").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600));
    write_all(file.get(), bytes, "f");
    return status_of([&] { (void)read_hdf5(path("f")); }, &message);
  };
  EXPECT_EQ(offer({}), Exit::integrity);
  EXPECT_NE(message.find("is empty"), std::string::npos) << message;
  EXPECT_EQ(offer(noise(5, 1)), Exit::integrity);
  EXPECT_EQ(offer(noise(5000, 1)), Exit::integrity);
  EXPECT_NE(message.find("not an HDF5 file"), std::string::npos) << message;
  std::vector<uint8_t> behind(2048);
  const uint8_t signature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  std::copy(std::begin(signature), std::end(signature), behind.begin() + 1024);
  EXPECT_EQ(offer(behind), Exit::mismatch);
  EXPECT_EQ(status_of([&] { (void)read_hdf5(path("absent")); }), Exit::no_input);
}

TEST(Guard, AChildThatDiesHangsOrFloodsIsRefused) {
  const GuardLimits limits{.cpu_seconds = 1, .wall_seconds = 1, .answer_bytes = 1000};
  const std::vector<std::pair<const char*, std::function<void(int)>>> bodies = {
      {"dies", [](int) { ::raise(SIGSEGV); }},
      {"exits", [](int) { ::_exit(3); }},
      {"throws", [](int) { throw std::runtime_error("x"); }},
      {"sleeps", [](int) { ::pause(); }},
      {"floods", [](int out) { write_all(out, std::vector<uint8_t>(5000), ""); }},
  };
  for (const auto& [what, body] : bodies) {
    std::string message;
    EXPECT_EQ(status_of([&] { (void)run_guarded(body, limits, "file.h5"); }, &message), Exit::integrity) << what;
    EXPECT_NE(message.find("file.h5"), std::string::npos) << what;
  }
  EXPECT_EQ(run_guarded([](int out) { write_all(out, std::vector<uint8_t>{7}, ""); }, limits, "f"),
            std::vector<uint8_t>{7});
}

// Full disk, as the kernel's limit on file size plays it.
TEST_F(Hdf5Test, AFullDiskIsAnOutputError) {
  const auto body = [&](int out) {
    ::signal(SIGXFSZ, SIG_IGN);
    const Exit status = status_of([&] {
      H5Writer writer(path("full"));
      const int64_t row[] = {1000};
      writer.begin_rows("/x", H5Type::u8, row, {.chunk_rows = 100});
      for (int i = 0; i < 10; ++i) writer.append_rows("/x", noise(100'000, 1), 100);
      (void)writer.content_sha256();
      writer.close();
    });
    write_all(out, std::vector<uint8_t>{static_cast<uint8_t>(status)}, "");
  };
  // The guard's child may write no file at all.
  EXPECT_EQ(run_guarded(body, {}, "full"), std::vector<uint8_t>{static_cast<uint8_t>(Exit::output)});
}

}  // namespace
}  // namespace lepton
