#include "io/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>

#include "base/error.h"
#include "io/sha256.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (temporary_folder() / "lepton-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void put(const std::string& file, const std::string& text) const { std::ofstream(file) << text; }
  std::string get(const std::string& file) const {
    const auto bytes = read_file(file);
    return {bytes.begin(), bytes.end()};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_)) found.push_back(entry.path().filename().string());
    std::sort(found.begin(), found.end());
    return found;
  }
  fs::path folder_;
};

// A fork whose child has nothing of ours left to print.
pid_t fork_once() {
  std::fflush(nullptr);
  return ::fork();
}

template <class Body>
Exit status_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error.status();
  }
  return Exit::ok;
}

TEST_F(FilesTest, AnOutputAppearsOnCommitAndNotBefore) {
  put(path("out"), "old");
  {
    AtomicFile file(path("out"));
    put(file.path(), "new");
    EXPECT_EQ(get(path("out")), "old");
    file.commit();
  }
  EXPECT_EQ(get(path("out")), "new");
  {
    AtomicFile file(path("out"));
    put(file.path(), "abandoned");
  }
  EXPECT_EQ(get(path("out")), "new");
  EXPECT_EQ(names(), std::vector<std::string>{"out"});
}

TEST_F(FilesTest, ModeAndLinksOfTheTargetAreKept) {
  put(path("real"), "old");
  ::chmod(path("real").c_str(), 0640);
  fs::create_symlink("real", path("link"));
  AtomicFile file(path("link"));
  put(file.path(), "new");
  file.commit();
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(get(path("real")), "new");
  EXPECT_EQ(fs::status(path("real")).permissions(), fs::perms{0640});
}

TEST_F(FilesTest, LeftoversOfTheDeadGoAndThoseOfTheLivingStay) {
  const pid_t dead = fork_once();
  if (dead == 0) {
    const AtomicFile file(path("out"));
    ::_exit(0);  // as if killed: no destructor
  }
  ::waitpid(dead, nullptr, 0);
  ASSERT_EQ(names().size(), 1U);
  put(path(".out.lepton-" + std::to_string(::getppid()) + "-aaaaaa"), "alive");
  put(path(".other.lepton-" + std::to_string(dead) + "-aaaaaa"), "of another name");
  {
    const AtomicFile file(path("out"));
  }
  EXPECT_EQ(names().size(), 2U);
}

TEST_F(FilesTest, ALockedTemporaryStaysThoughItsProcessIsNotHere) {
  const pid_t dead = fork_once();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  const std::string name = path(".out.lepton-" + std::to_string(dead) + "-aaaaaa");
  const FileDescriptor elsewhere(::open(name.c_str(), O_CREAT | O_RDWR, 0600));
  ASSERT_EQ(::flock(elsewhere.get(), LOCK_EX), 0);
  {
    const AtomicFile file(path("out"));
  }
  EXPECT_TRUE(fs::exists(name));
}

TEST_F(FilesTest, ASignalHandlerCanTidyUp) {
  const pid_t child = fork_once();
  if (child == 0) {
    const AtomicFile file(path("out"));
    unlink_pending_outputs();
    ::_exit(fs::exists(file.path()) ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  const AtomicFile ours(path("out"));
  const pid_t other = fork_once();
  if (other == 0) {
    unlink_pending_outputs();  // a child's handler must not touch what is its parent's
    ::_exit(0);
  }
  ::waitpid(other, nullptr, 0);
  EXPECT_TRUE(fs::exists(ours.path()));
}

TEST_F(FilesTest, WhatCannotBeWrittenIsKnownAtOnce) {
  EXPECT_EQ(status_of([&] { AtomicFile(path("no/such/folder/out")); }), Exit::output);
  EXPECT_EQ(status_of([&] { AtomicFile(folder_.string()); }), Exit::output);
  EXPECT_EQ(status_of([&] { AtomicFile("/proc/out"); }), Exit::output);
  if (::geteuid() != 0) {
    ::chmod(folder_.c_str(), 0500);
    EXPECT_EQ(status_of([&] { AtomicFile(path("out")); }), Exit::output);
    ::chmod(folder_.c_str(), 0700);
  }
}

TEST_F(FilesTest, AFullDeviceIsAnErrorOnCommit) {
  AtomicFile file("/dev/full");
  put(file.path(), "data");
  EXPECT_EQ(status_of([&] { file.commit(); }), Exit::output);
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(FilesTest, PipesAreSpooledWhole) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t writer = fork_once();
  if (writer == 0) {
    ::close(ends[0]);
    write_all(ends[1], std::vector<uint8_t>(3'000'000, 'x'), "pipe");
    ::_exit(0);
  }
  ::close(ends[1]);
  const FileDescriptor spool = open_spooled(ends[0]);
  ::close(ends[0]);
  ::waitpid(writer, nullptr, 0);
  ASSERT_EQ(file_size(spool.get()), 3'000'000);
  std::vector<uint8_t> last(1);
  read_at(spool.get(), last, 2'999'999, "spool");
  EXPECT_EQ(last[0], 'x');
  EXPECT_EQ(status_of([&] { read_at(spool.get(), last, 3'000'000, "spool"); }), Exit::integrity);
}

TEST_F(FilesTest, InputsThatAreNotFilesAreNamed) {
  EXPECT_EQ(status_of([&] { (void)open_input(path("absent")); }), Exit::no_input);
  EXPECT_EQ(status_of([&] { (void)open_input(folder_.string()); }), Exit::no_input);
  put(path("f"), "12345");
  EXPECT_EQ(status_of([&] { (void)read_file(path("f"), 4); }), Exit::bad_inputs);
}

// FIPS 180-4's examples.
TEST(Sha256Test, KnownAnswers) {
  const auto hash = [](std::string_view text) {
    Sha256 sum;
    sum.update(text.substr(0, text.size() / 2));
    sum.update(text.substr(text.size() / 2));
    return to_hex(sum.finish());
  };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

}  // namespace
}  // namespace lepton
