#include "data/labels.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "data/source.h"

namespace lepton {
namespace {

using Strings = std::vector<std::string>;

Exit status_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.status();
  }
  return Exit::ok;
}

std::string told(const std::vector<Placement>& placements) {
  std::string text;
  for (const Placement& p : placements) {
    text += (p.split ? std::string(kSplitNames[static_cast<size_t>(*p.split)]) + ":" : "") + p.class_name + " ";
  }
  return text;
}

struct Case {
  const char* what;
  Strings folders;
  bool wrapped;
  std::string expected;
};

TEST(PlaceFolders, ClassAndSplitComeFromWholeFolderNames) {
  const std::vector<Case> cases = {
      {"classes", {"cat", "dog"}, false, "cat dog "},
      {"deeper folders belong to the topmost", {"cat/2021", "cat/2022/may", "dog"}, false, "cat cat dog "},
      {"splits above",
       {"train/cat", "train/dog", "test/cat", "valid/cat"},
       false,
       "train:cat train:dog test:cat val:cat "},
      {"a class named like a split", {"train", "car"}, false, "train car "},
      {"no substring counts", {"training-set", "classification"}, false, "training-set classification "},
      {"a wrapper is looked through", {"photos/cat", "photos/dog"}, true, "cat dog "},
      {"two wrappers", {"a/b/train/cat", "a/b/test/cat"}, true, "train:cat test:cat "},
      {"only archives have wrappers", {"photos/cat", "photos/dog"}, false, "photos photos "},
      {"one class is no wrapper", {"cat"}, true, "cat "},
      {"a split is no wrapper", {"test/cat", "test/dog"}, true, "test:cat test:dog "},
  };
  for (const Case& c : cases) {
    const std::vector<bool> images(c.folders.size(), true);
    EXPECT_EQ(told(place_folders(c.folders, images, c.wrapped, "x")), c.expected) << c.what;
  }
}

TEST(PlaceFolders, FoldersWithoutImagesHaveNoSay) {
  EXPECT_EQ(told(place_folders({"", "train/cat", "docs"}, {false, true, false}, false, "x")), " train:cat  ");
  EXPECT_EQ(told(place_folders({"", "cat"}, {true, true}, false, "x")), " cat ");
}

TEST(PlaceFolders, AmbiguityIsRefused) {
  EXPECT_EQ(status_of([] { place_folders({"train/cat", "extra/cat"}, {true, true}, false, "x"); }), Exit::usage);
  EXPECT_EQ(status_of([] { place_folders({"train", "test"}, {true, true}, false, "x"); }), Exit::no_input);
}

TEST(PlaceSplits, OnlySplitsAreTold) {
  EXPECT_EQ(told(place_splits({"train", "test/a"}, {true, true}, false)), "train: test: ");
  EXPECT_EQ(told(place_splits({"train", "other"}, {true, true}, false)), "  ");
}

TEST(SplitNames, FoldersAndFiles) {
  EXPECT_EQ(split_of_folder("dev"), Split::val);
  EXPECT_EQ(split_of_folder("contest"), std::nullopt);
  EXPECT_EQ(split_of_file("a/t10k-images-idx3-ubyte.gz"), Split::test);
  EXPECT_EQ(split_of_file("data/gtsrb32_train.tar.gz"), Split::train);
  EXPECT_EQ(split_of_file("test/latest.tar"), std::nullopt);
  EXPECT_EQ(split_of_file("train_test.tar"), std::nullopt);
}

TEST(SortedClasses, NumbersByValue) {
  EXPECT_EQ(sorted_classes({"10", "9", "9"}), (Strings{"9", "10"}));
  EXPECT_EQ(sorted_classes({"b", "10", "9"}), (Strings{"10", "9", "b"}));
  EXPECT_EQ(sorted_classes({"01", "00"}), (Strings{"00", "01"}));
}

class LabelFile : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return path_;
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ = testing::TempDir() + "labels." + std::to_string(::getpid()) + ".tsv";
};

TEST_F(LabelFile, FindsByWholeId) {
  LabelList list = LabelList::read(write("b.jpg\tdog\r\na\\tb.jpg\tcat\n\nb.jpg\tdog\nz\tcat\textra\n"));
  EXPECT_EQ(list.size(), 3);
  EXPECT_EQ(list.classes(), (Strings{"dog", "cat"}));
  EXPECT_EQ(list.find("b.jpg"), 0);
  EXPECT_EQ(list.find("b.jpg"), 0);
  EXPECT_EQ(list.find("a\tb.jpg"), 1);
  EXPECT_EQ(list.find("b.jp"), -1);
  EXPECT_EQ(list.unused(), 1);
}

TEST_F(LabelFile, RefusesWhatIsNotClear) {
  for (const char* text : {"no tab\n", "a\t\n", "a\tx\na\ty\n"}) {
    const std::string path = write(text);
    EXPECT_EQ(status_of([&] { LabelList::read(path); }), Exit::usage) << text;
  }
}

}  // namespace
}  // namespace lepton
