#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "io/process.h"
#include "push/remote_test.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

class DirectoryRemoteTest : public RemoteTest {
 protected:
  std::unique_ptr<Remote> open() { return open_remote(parse_destination(path("out")), options_); }
  static inline const Condition kAbsent{Condition::Kind::absent, ""};
};

TEST_F(DirectoryRemoteTest, RoundTrip) {
  const auto remote = open();
  EXPECT_TRUE(remote->list("").empty());
  EXPECT_FALSE(remote->get("a", path("got")));
  EXPECT_FALSE(remote->head("a/b"));
  const Upload first = upload("objects/sha256/ab/ab12", "one"), second = upload("-x y'\"", "two");
  remote->put_many(std::vector{first, second});
  const auto objects = remote->list("");
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0].key, "-x y'\"");
  EXPECT_EQ(objects[1].key, first.key);
  EXPECT_EQ(objects[1].size, 3);
  EXPECT_EQ(objects[1].md5 + objects[1].sha256, "");
  EXPECT_GT(objects[1].modified, 1'500'000'000);
  const auto object = remote->head(first.key);
  EXPECT_EQ(object->sha256, first.sha256);
  EXPECT_EQ(object->md5, first.md5);
  EXPECT_EQ(remote->get(first.key, path("got"))->tag, object->tag);
  EXPECT_EQ(read(path("got")), "one");
  remote->get_many(std::vector{Download{first.key, path("got1"), 3}, Download{second.key, path("got2"), 3}});
  EXPECT_EQ(read(path("got2")), "two");
  const std::string message =
      error_of(Exit::integrity, [&] { remote->get_many(std::vector{Download{"gone", path("got3"), 3}}); });
  EXPECT_TRUE(contains(message, "out/gone: is missing")) << message;
}

TEST_F(DirectoryRemoteTest, ListsByPrefix) {
  const auto remote = open();
  for (const char* key : {"a/b/1", "a/b/2", "a/c", "ab", "b"}) remote->put(upload(key, key), {});
  EXPECT_EQ(remote->list("a/b/").size(), 2U);
  EXPECT_EQ(remote->list("a").size(), 4U);
  EXPECT_EQ(remote->list("b").size(), 1U);
  EXPECT_EQ(remote->list("none/").size(), 0U);
  EXPECT_EQ(remote->list("b/").size(), 0U);
}

TEST_F(DirectoryRemoteTest, Conditions) {
  const auto remote = open();
  EXPECT_FALSE(remote->put(upload("p", "0"), {Condition::Kind::unchanged, "any"}));
  EXPECT_TRUE(remote->put(upload("p", "1"), kAbsent));
  EXPECT_FALSE(remote->put(upload("p", "2"), kAbsent));
  const std::string tag = remote->get("p", path("got"))->tag;
  EXPECT_TRUE(remote->put(upload("p", "3"), {Condition::Kind::unchanged, tag}));
  EXPECT_FALSE(remote->put(upload("p", "4"), {Condition::Kind::unchanged, tag}));
  EXPECT_EQ(read(path("out/p")), "3");
}

TEST_F(DirectoryRemoteTest, OneOfManyRacersWins) {
  open()->put(upload("p", "0"), {});
  for (int round = 0; round < 20; ++round) {
    const std::string tag = open()->head("p")->tag;
    std::vector<Upload> uploads;
    for (int i = 0; i < 4; ++i) uploads.push_back(upload("p", std::to_string(round * 10 + i + 1)));
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    for (const Upload& each : uploads) {
      threads.emplace_back([&] { winners += open()->put(each, {Condition::Kind::unchanged, tag}) ? 1 : 0; });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(winners, 1);
  }
}

TEST_F(DirectoryRemoteTest, RemovesAndTidiesUp) {
  const auto remote = open();
  remote->remove(std::vector<std::string>{"never/was"});
  remote->put_many(std::vector{upload("a/b/1", "x"), upload("a/c/1", "x")});
  remote->remove(std::vector<std::string>{"a/b/1", "gone", "gone/too"});
  EXPECT_FALSE(fs::exists(path("out/a/b")));
  EXPECT_TRUE(fs::exists(path("out/a/c/1")));
  remote->remove(std::vector<std::string>{"a/c/1"});
  EXPECT_FALSE(fs::exists(path("out/a")));
  EXPECT_TRUE(fs::exists(path("out")));
}

TEST_F(DirectoryRemoteTest, ReadsThroughLinks) {
  fs::create_symlink(write("real", "text"), path("link"));
  Upload linked = upload("k", "text");
  linked.file = path("link");
  open()->put(linked, {});
  EXPECT_FALSE(fs::is_symlink(path("out/k")));
  EXPECT_EQ(read(path("out/k")), "text");
}

TEST_F(DirectoryRemoteTest, AScriptLeavesTheSameState) {
  const Upload a = upload("objects/a b", "one"), b = upload("it's", "two"), c = upload("gone/c", "three");
  const auto act = [&](Remote& remote) {
    remote.put_many(std::vector{a, c});
    EXPECT_TRUE(remote.put(b, kAbsent));
    remote.remove(std::vector<std::string>{"gone/c", "never/was"});
  };
  std::string script;
  options_.script = &script;
  act(*open());
  EXPECT_FALSE(fs::exists(path("out")));
  const ProcessResult result = run_process({"sh", "-e", "-c", script});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(read(path("out/objects/a b")), "one");
  EXPECT_EQ(read(path("out/it's")), "two");
  EXPECT_FALSE(fs::exists(path("out/gone")));

  script.clear();
  open()->put(b, kAbsent);
  EXPECT_EQ(run_process({"sh", "-c", script}).status, 75);
  script.clear();
  open()->put(upload("it's", "four"), {Condition::Kind::unchanged, b.sha256});
  EXPECT_EQ(run_process({"sh", "-c", script}).status, 0);
  EXPECT_EQ(run_process({"sh", "-c", script}).status, 75);
  EXPECT_EQ(read(path("out/it's")), "four");
}

TEST_F(DirectoryRemoteTest, TellsWhatCannotBeWritten) {
  write("file", "");
  const auto remote = open_remote(parse_destination(path("file")), options_);
  const std::string message = error_of(Exit::output, [&] { remote->put(upload("k", "x"), {}); });
  EXPECT_TRUE(contains(message, "file")) << message;
}

}  // namespace
}  // namespace lepton
