#include "io/walk.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

class Walk : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(root_); }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text = "x") {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  fs::path root_ = fs::path(testing::TempDir()) / ("walk." + std::to_string(::getpid()));
};

std::vector<std::string> paths_of(const FileTree& tree) {
  std::vector<std::string> paths;
  for (int64_t i = 0; i < tree.size(); ++i) paths.push_back(tree.path(i));
  return paths;
}

TEST_F(Walk, OrderedByNameWithoutHiddenNames) {
  for (const char* path : {"b/2", "b/10", "a/x/1", "top", ".git/x", "a/.DS_Store", "a/Thumbs.db"}) put(path);
  const FileTree tree = FileTree::walk(root_);
  EXPECT_EQ(paths_of(tree), (std::vector<std::string>{"a/x/1", "b/10", "b/2", "top"}));
  EXPECT_EQ(tree.hidden(), 3);
  EXPECT_EQ(tree.folders()[static_cast<size_t>(tree.folder(0))], "a/x");
  EXPECT_EQ(tree.folders()[static_cast<size_t>(tree.folder(3))], "");
  EXPECT_TRUE(tree.problems().empty());
}

TEST_F(Walk, LinksAreFollowedAndLoopsFound) {
  put("a/1");
  fs::create_directory_symlink(root_ / "a", root_ / "b");
  fs::create_directory_symlink(root_, root_ / "a" / "up");
  fs::create_symlink("nowhere", root_ / "a" / "lost");
  ::mkfifo((root_ / "a" / "pipe").c_str(), 0600);
  const FileTree tree = FileTree::walk(root_);
  EXPECT_EQ(paths_of(tree), (std::vector<std::string>{"a/1", "b/1"}));
  std::vector<std::string> problems;
  for (const WalkProblem& problem : tree.problems()) problems.push_back(problem.path);
  EXPECT_EQ(problems, (std::vector<std::string>{"a/lost", "a/pipe", "a/up", "b/lost", "b/pipe", "b/up"}));
}

TEST_F(Walk, ReadsWholeFilesWithinTheLimit) {
  put("a", "hello");
  const FileTree tree = FileTree::walk(root_);
  std::vector<uint8_t> bytes(100);
  tree.read(0, bytes, 5);
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "hello");
  EXPECT_THROW(tree.read(0, bytes, 4), Error);
}

TEST_F(Walk, ListedNamesAreSortedAndCheckedWhenRead) {
  put("b", "B");
  ::mkfifo((root_ / "pipe").c_str(), 0600);
  const std::string at = root_.native() + "/";
  const FileTree tree = FileTree::list({at + "pipe", at + "b", at + "absent"});
  ASSERT_EQ(tree.path(1), at + "b");
  std::vector<uint8_t> bytes;
  tree.read(1, bytes, 10);
  EXPECT_EQ(bytes, (std::vector<uint8_t>{'B'}));
  EXPECT_THROW(tree.read(0, bytes, 10), Error);
  EXPECT_THROW(tree.read(2, bytes, 10), Error);
}

TEST(WalkErrors, NoFolder) {
  try {
    FileTree::walk("/nonexistent/folder");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Exit::no_input);
  }
}

}  // namespace
}  // namespace lepton
