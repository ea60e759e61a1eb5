#include "push/publish.h"

#include <algorithm>
#include <functional>
#include <map>

#include "push/pull.h"
#include "push/remote_test.h"
#include "push/scratch.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

// A directory whose verbs can be made to go wrong.
class FaultyRemote : public Remote {
 public:
  explicit FaultyRemote(std::unique_ptr<Remote> inner) : inner_(std::move(inner)) {}
  std::function<void(const std::string&)> before_put = [](const std::string&) {};
  std::function<std::string(const Upload&)> instead = [](const Upload& u) { return u.file; };  // "" = lost
  std::vector<std::string> deny_after_arrival;  // keys whose puts are done and said not to be
  std::map<std::string, int> calls;

  std::optional<StoredObject> get(const std::string& key, const std::string& file) override {
    ++calls["get"];
    return inner_->get(key, file);
  }
  void get_many(std::span<const Download> downloads) override {
    ++calls["get_many"];
    inner_->get_many(downloads);
  }
  bool put(const Upload& upload, const Condition& condition) override {
    ++calls["put"];
    before_put(upload.key);
    const bool done = inner_->put(upload, condition);
    const bool denied = std::any_of(deny_after_arrival.begin(), deny_after_arrival.end(),
                                    [&](const std::string& key) { return upload.key.starts_with(key); });
    return done && !denied;
  }
  void put_many(std::span<const Upload> uploads) override {
    ++calls["put_many"];
    for (Upload u : uploads) {
      before_put(u.key);
      u.file = instead(u);
      if (!u.file.empty()) inner_->put(u, {});
    }
  }
  std::vector<StoredObject> list(const std::string& prefix) override {
    ++calls["list"];
    return inner_->list(prefix);
  }
  std::optional<StoredObject> head(const std::string& key) override { return inner_->head(key); }
  void remove(std::span<const std::string> keys) override {
    removed += std::ssize(keys);
    inner_->remove(keys);
  }
  int64_t removed = 0;

 private:
  std::unique_ptr<Remote> inner_;
};

class PublishTest : public RemoteTest {
 protected:
  void SetUp() override {
    RemoteTest::SetUp();
    remote_ = std::make_unique<FaultyRemote>(open_remote(parse_destination(path("out")), options_));
    publishing_.state_folder = path("state");
  }
  PublishResult push(const std::map<std::string, std::string>& contents) {
    std::vector<LocalFile> files;
    for (const auto& [name, text] : contents) {
      const std::string file = write("local_" + name, text);
      files.push_back({name, file, hash_file(file), "text/plain", "", ""});
    }
    Sealer sealer({}, path("sealed"));
    Store store(*remote_, "out", path("scratch"), publishing_.script);
    return publish(store, "out", files, sealer, publishing_);
  }
  // What a reader finds: name → text; {} when nothing is published. Fails if it is not whole.
  std::map<std::string, std::string> published() {
    const auto remote = open_remote(parse_destination(path("out")), options_);
    Store store(*remote, "out", path("reading"));
    if (!store.read_pointer("latest")) return {};
    fs::remove_all(path("pulled"));
    pull(store, path("pulled"), {});
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(path("pulled"))) {
      if (entry.is_regular_file()) found[entry.path().filename()] = read(entry.path());
    }
    return found;
  }
  int64_t stored_objects() {
    return std::ssize(open_remote(parse_destination(path("out")), options_)->list("objects/"));
  }

  std::unique_ptr<FaultyRemote> remote_;
  PublishOptions publishing_;
};

TEST_F(PublishTest, SendsOnlyWhatIsNew) {
  EXPECT_EQ(push({{"a", "1"}, {"b", "2"}, {"c", "2"}}).objects, 2);  // equal files are one object
  EXPECT_EQ(push({{"a", "1"}, {"b", "2"}, {"c", "2"}}).state, "unchanged");
  remote_->calls.clear();
  EXPECT_EQ(push({{"a", "1"}}).state, "unchanged");
  EXPECT_EQ(remote_->calls, (std::map<std::string, int>{{"get", 2}}));
  const PublishResult changed = push({{"a", "3"}});
  EXPECT_EQ(changed.state + std::to_string(changed.objects), "pushed1");
  EXPECT_EQ(published(), (std::map<std::string, std::string>{{"a", "3"}, {"b", "2"}, {"c", "2"}}));
  publishing_.remove_missing = true;
  push({{"b", "2"}});
  EXPECT_EQ(published(), (std::map<std::string, std::string>{{"b", "2"}}));
}

TEST_F(PublishTest, WhatArrivesDamagedOrNotAtAllIsSentAgain) {
  for (const bool lost : {false, true}) {
    int faults = 2;
    remote_->instead = [&](const Upload& u) { return faults-- > 0 ? lost ? "" : write("other", "x") : u.file; };
    EXPECT_EQ(push({{"a", lost ? "11" : "1"}, {"b", lost ? "22" : "2"}}).state, "pushed");
    EXPECT_EQ(published()["b"], lost ? "22" : "2");
  }
}

TEST_F(PublishTest, WhatNeverArrivesIsNotPublished) {
  push({{"a", "old"}});
  const auto before = published();
  remote_->instead = [&](const Upload&) { return write("other", "new but not"); };
  EXPECT_TRUE(contains(error_of(Exit::integrity, [&] { push({{"a", "new"}}); }), "three times"));
  EXPECT_EQ(published(), before);
}

TEST_F(PublishTest, AFailureAnywhereLeavesWhatIsPublished) {
  push({{"a", "old"}, {"b", "same"}});
  const auto before = published();
  for (const std::string where : {"objects/", "manifests/", "releases/"}) {
    remote_->before_put = [&](const std::string& key) {
      if (key.starts_with(where)) fail(Exit::try_later, "{}: gone", key);
    };
    error_of(Exit::try_later, [&] { push({{"a", "new"}}); });
    EXPECT_EQ(published(), before) << where;
  }
}

TEST_F(PublishTest, TheSlowerOfTwoChangesNothing) {
  for (const bool first : {true, false}) {  // whether a pointer was there before
    int rival = 1;
    remote_->before_put = [&](const std::string& key) {
      if (!key.starts_with("releases/") || rival-- <= 0) return;
      push({{"a", first ? "rival" : "rival again"}});
    };
    EXPECT_EQ(push({{"a", "mine"}, {"b", "mine"}}).state, "conflict");
    EXPECT_EQ(published(), (std::map<std::string, std::string>{{"a", first ? "rival" : "rival again"}}));
  }
}

TEST_F(PublishTest, APointerWhoseAnswerWasLostIsPublished) {
  int lost = 1;
  remote_->before_put = [&](const std::string& key) {
    if (!key.starts_with("releases/") || lost-- <= 0) return;
    const auto direct = open_remote(parse_destination(path("out")), options_);
    const std::string file = path("scratch") + "/got_releases_latest.json.next";
    const FileHashes h = hash_file(file);
    direct->put({key, file, h.size, h.sha256, h.md5, ""}, {});  // it arrived
    fail(Exit::try_later, "the connection broke");
  };
  EXPECT_EQ(push({{"a", "1"}}).state, "pushed");
}

// As after a retry: the first try arrived, the second finds the condition not met.
TEST_F(PublishTest, APutThatArrivedAfterAllIsNoLostRace) {
  remote_->deny_after_arrival = {"releases/", "pruning.json"};
  publishing_.keep = 1;
  publishing_.grace_seconds = 0;
  EXPECT_EQ(push({{"a", "1"}}).state, "pushed");
  EXPECT_EQ(push({{"a", "2"}}).state, "pushed");
  EXPECT_EQ(stored_objects(), 1);
  EXPECT_FALSE(fs::exists(path("out/pruning.json")));
}

TEST_F(PublishTest, MendsWhatIsDamagedThere) {
  push({{"a", "1"}, {"b", "2"}});
  fs::remove(path("out") + "/" + object_key(hash_text("1").sha256));
  EXPECT_EQ(push({{"a", "1"}, {"c", "3"}}).state, "pushed");
  EXPECT_EQ(published(), (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  fs::remove(path("out") + "/" + object_key(hash_text("2").sha256));
  EXPECT_TRUE(contains(error_of(Exit::integrity, [&] { push({{"d", "4"}}); }), "'b' is damaged there"));
}

TEST_F(PublishTest, RollsBackAndForth) {
  const auto roll = [&] {
    Store store(*remote_, "out", path("scratch"));
    return roll_back(store, "latest").state;
  };
  error_of(Exit::no_input, roll);
  push({{"a", "1"}});
  error_of(Exit::no_input, roll);
  push({{"a", "2"}});
  push({{"a", "3"}});
  EXPECT_EQ(roll(), "rolled-back");
  EXPECT_EQ(published()["a"], "2");
  push({{"a", "4"}});
  EXPECT_EQ(roll(), "rolled-back");
  EXPECT_EQ(published()["a"], "2");  // 3 was withdrawn
  EXPECT_EQ(roll(), "rolled-back");
  EXPECT_EQ(published()["a"], "1");
}

TEST_F(PublishTest, KeepsWhatAnyNameNeeds) {
  publishing_.keep = 2;
  publishing_.grace_seconds = 0;
  publishing_.release = "staging";
  push({{"a", "staged"}});
  publishing_.release = "latest";
  for (const char* text : {"1", "2", "3", "4"}) push({{"a", text}});
  EXPECT_EQ(stored_objects(), 3);  // staged, 3, 4
  publishing_.grace_seconds = 1000;
  push({{"a", "5"}});
  EXPECT_EQ(stored_objects(), 4);  // 3 is too young to go
  EXPECT_EQ(published()["a"], "5");
  EXPECT_FALSE(fs::exists(path("out/pruning.json")));
}

TEST_F(PublishTest, WhilePruningIsUnderWayNobodyPublishes) {
  push({{"a", "1"}});
  write("out/pruning.json", "{}");
  Store store(*remote_, "out", path("scratch"));
  std::string warning;
  EXPECT_EQ(prune(store, 0, [&](const std::string& text) { warning = text; }), 0);
  EXPECT_TRUE(contains(warning, "another run is pruning"));
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    fs::remove(path("out/pruning.json"));
  });
  EXPECT_EQ(push({{"a", "2"}}).state, "pushed");
  later.join();
  EXPECT_GE(remote_->calls["list"], 2);
}

TEST_F(PublishTest, PullsOnlyWhatIsWholeAndResumes) {
  push({{"a", "1"}, {"b", "2"}});
  Store store(*remote_, "out", path("reading"));
  EXPECT_EQ(pull(store, path("here"), {}).objects, 2);
  EXPECT_EQ(pull(store, path("here"), {}).state, "unchanged");
  write("here/a", "changed");
  fs::create_directories(path("here/.lepton-pull"));
  write("here/.lepton-pull/" + hash_text("1").sha256, "1");  // what an interrupted pull left
  EXPECT_EQ(pull(store, path("here"), {}).objects, 0);
  EXPECT_EQ(read(path("here/a")), "1");
  EXPECT_FALSE(fs::exists(path("here/.lepton-pull")));
  write("out/" + object_key(hash_text("2").sha256), "3");
  fs::remove(path("here/b"));
  EXPECT_TRUE(contains(error_of(Exit::integrity, [&] { pull(store, path("here"), {}); }), "hash"));
  EXPECT_FALSE(fs::exists(path("here/b")));
  error_of(Exit::integrity, [&] { verify(store, {}, false); });
}

TEST_F(PublishTest, PullsThroughNoLink) {
  push({{"a", "1"}});
  Store store(*remote_, "out", path("reading"));
  Published p = store.require("latest", {});
  p.manifest.files[0].name = "art/a";
  const std::string text = manifest_text(p.manifest);
  p.pointer.releases[0].manifest = hash_text(text).sha256;
  fs::create_directories(path("out/manifests"));
  write("out/" + manifest_key(hash_text(text).sha256), text);
  write("out/" + pointer_key("latest"), pointer_text(p.pointer));
  fs::create_directories(path("here"));
  fs::create_directories(path("elsewhere"));
  fs::create_symlink(path("elsewhere"), path("here/art"));
  EXPECT_TRUE(contains(error_of(Exit::output, [&] { pull(store, path("here"), {}); }), "is a link"));
  EXPECT_TRUE(fs::is_empty(path("elsewhere")));
}

TEST_F(PublishTest, ADryRunIsAScriptThatDoesTheSame) {
  push({{"a", "1"}});
  std::string script;
  options_.script = publishing_.script = &script;
  auto dry = std::make_unique<FaultyRemote>(open_remote(parse_destination(path("out")), options_));
  options_.script = nullptr;
  std::swap(remote_, dry);
  const auto before = published();
  EXPECT_EQ(push({{"a", "it's"}, {"b", "2"}}).state, "dry-run");
  EXPECT_EQ(published(), before);
  fs::remove_all(path("scratch"));
  fs::remove_all(options_.staging);
  write("script", "set -eu\n" + script);
  ASSERT_EQ(std::system(("sh " + path("script")).c_str()), 0) << script;
  EXPECT_EQ(published(), (std::map<std::string, std::string>{{"a", "it's"}, {"b", "2"}}));
  publishing_.script = nullptr;
  std::swap(remote_, dry);
  EXPECT_EQ(push({{"a", "it's"}, {"b", "2"}}).state, "unchanged");
}

}  // namespace
}  // namespace lepton
