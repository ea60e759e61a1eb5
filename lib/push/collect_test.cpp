#include "push/collect.h"

#include "push/remote_test.h"

namespace lepton {
namespace {

class CollectTest : public RemoteTest {
 protected:
  void SetUp() override {
    RemoteTest::SetUp();
    std::filesystem::create_directories(path("art/deep"));
    for (const char* name : {"art/b.txt", "art/a b.png", "art/deep/-c", "art/.hidden", "art/.x.lepton-1-abc"}) {
      write(name, name);
    }
  }
  std::string names(const std::vector<std::string>& operands, const std::vector<std::string>& listed = {},
                    const CollectOptions& options = {}) {
    std::string all;
    for (const LocalFile& file : collect(operands, listed, options)) all += file.name + "|";
    return all;
  }
};

CollectOptions globs(std::vector<std::string> include, std::vector<std::string> exclude) {
  CollectOptions options;
  options.include = std::move(include);
  options.exclude = std::move(exclude);
  options.threads = 3;
  return options;
}

TEST_F(CollectTest, Names) {
  const std::string all = "art/.hidden|art/a b.png|art/b.txt|art/deep/-c|";
  EXPECT_EQ(names({path("art")}), all);
  EXPECT_EQ(names({path("art/")}), all);
  EXPECT_EQ(names({path("art"), path("art/b.txt")}), "art/.hidden|art/a b.png|art/b.txt|art/deep/-c|b.txt|");
  EXPECT_EQ(names({}, {path("art/b.txt")}), "b.txt|");
  const auto back = std::filesystem::current_path();
  std::filesystem::current_path(folder_ / "art");
  EXPECT_EQ(names({"."}), ".hidden|a b.png|b.txt|deep/-c|");
  EXPECT_EQ(names({}, {"./deep/-c", "b.txt"}), "b.txt|deep/-c|");
  std::filesystem::current_path(back);
}

TEST_F(CollectTest, Globs) {
  EXPECT_EQ(names({path("art")}, {}, globs({"*.png", "*.txt"}, {})), "art/a b.png|art/b.txt|");
  EXPECT_EQ(names({path("art")}, {}, globs({}, {"*.png", ".*", "art/deep/*"})), "art/b.txt|");
}

TEST_F(CollectTest, HashesAndTypes) {
  const std::vector<LocalFile> files = collect({path("art/b.txt")}, {}, globs({}, {}));
  EXPECT_EQ(files[0].hashes, hash_text("art/b.txt"));
  EXPECT_EQ(files[0].type, "text/plain");
}

TEST_F(CollectTest, Refuses) {
  EXPECT_TRUE(contains(error_of(Exit::no_input, [&] { names({path("no")}); }), "No such file"));
  ASSERT_EQ(::mkfifo(path("art/pipe").c_str(), 0600), 0);
  EXPECT_TRUE(contains(error_of(Exit::bad_inputs, [&] { names({path("art")}); }), "no regular file"));
  EXPECT_EQ(names({path("art")}, {}, globs({}, {"pipe", "deep", ".*"})), "art/a b.png|art/b.txt|");
  std::filesystem::create_directories(path("other"));
  write("other/b.txt", "");
  error_of(Exit::usage, [&] { names({path("other/b.txt"), path("art/b.txt")}); });
  write("other/\xff", "");
  EXPECT_TRUE(contains(error_of(Exit::bad_inputs, [&] { names({path("other")}); }), "UTF-8"));
  std::filesystem::create_directories(path("loop"));
  std::filesystem::create_symlink(".", path("loop/again"));
  EXPECT_TRUE(contains(error_of(Exit::bad_inputs, [&] { names({path("loop")}); }), "link back"));
}

TEST_F(CollectTest, DamagedHdf5IsSaidAndTaken) {
  write("broken.h5", "\x89HDF\r\n\x1a\n and no more");
  std::string warning;
  CollectOptions options;
  options.warn = [&](const std::string& text) { warning = text; };
  EXPECT_EQ(names({path("broken.h5")}, {}, options), "broken.h5|");
  EXPECT_TRUE(contains(warning, "published as it is"));
}

}  // namespace
}  // namespace lepton
