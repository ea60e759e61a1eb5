#include <vector>

#include "push/remote_test.h"

namespace lepton {
namespace {

class GcsRemoteTest : public ClientTest {
 protected:
  std::unique_ptr<Remote> open() { return open_remote(parse_destination("gs://bkt1/m"), options_); }
};

TEST_F(GcsRemoteTest, PutsWithHashAndCondition) {
  client("gcloud", "exit 0");
  const Upload file = upload("k", "one\n");
  open()->put(file, {});
  std::string called = calls();
  EXPECT_TRUE(contains(called, " gs://bkt1/m/k --content-md5=W79aUjKOdDmubnGd/nEiAA== ")) << called;
  EXPECT_FALSE(contains(called, "--if-") || contains(called, "acl")) << called;
  open()->put(file, {Condition::Kind::absent, ""});
  EXPECT_TRUE(contains(calls(), "--if-generation-match=0 "));
  options_.sse = "kms:projects/p/cryptoKeys/k";
  open()->put(file, {Condition::Kind::unchanged, "17"});
  called = calls();
  EXPECT_TRUE(contains(called, "--if-generation-match=17 ")) << called;
  EXPECT_TRUE(contains(called, "--encryption-key=projects/p/cryptoKeys/k ")) << called;
  client("gcloud", "echo 'ERROR: HTTPError 412: Precondition failed' >&2; exit 1");
  EXPECT_FALSE(open()->put(file, {Condition::Kind::unchanged, "17"}));
}

TEST_F(GcsRemoteTest, ReadsListingsWithoutOlderVersions) {
  client("gcloud", R"(cat <<'END'
[{"name":"m/a","size":"3","generation":"12","crc32c":"G9ywgw==","md5Hash":"dk76iD3aHhHbR2ccSju9ng==",
  "updated":"2026-11-25T09:35:34.617988+00:00"},
 {"name":"m/a","size":"4","generation":"11","timeDeleted":"2026-11-25T09:35:34+00:00"},
 {"name":"m/composed","size":"5","generation":"13","crc32c":"G9ywgw=="}]
END)");
  const auto objects = open()->list("x/");
  EXPECT_TRUE(contains(calls(), "storage objects list gs://bkt1/m/x/** --raw "));
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0].md5, "764efa883dda1e11db47671c4a3bbd9e");
  EXPECT_EQ(objects[0].crc32c, "1bdcb083");
  EXPECT_EQ(objects[0].tag, "12");
  EXPECT_EQ(objects[0].modified, 1795599334);
  EXPECT_EQ(objects[1].md5, "");
}

TEST_F(GcsRemoteTest, TellsAMissingObjectFromAMissingBucket) {
  client("gcloud", "echo 'ERROR: (gcloud.storage.cp) gs://bkt1 not found: 404.' >&2; exit 1");
  EXPECT_TRUE(contains(error_of(Exit::no_input, [&] { open()->get("k", path("got")); }),
                       "make it with: gcloud storage buckets create gs://bkt1"));
  client("gcloud", "echo 'ERROR: (gcloud.storage.objects.describe) gs://bkt1/m/k not found: 404.' >&2; exit 1");
  EXPECT_FALSE(open()->head("k"));
  client("gcloud", "echo 'ERROR: The following URLs matched no objects or files:' >&2; exit 1");
  EXPECT_FALSE(open()->get("k", path("got")));
  EXPECT_TRUE(open()->list("").empty());
}

TEST_F(GcsRemoteTest, ABatchGoesOntoTheBucketItself) {
  client("gcloud", "cp -rL \"$4\" '" + path("sent") + "'");
  open()->put_many(std::vector{upload("o/1", "1"), upload("o/2", "2"), upload("p", "3")});
  const std::string called = calls();
  EXPECT_TRUE(called.starts_with("storage cp --recursive ")) << called;
  EXPECT_TRUE(called.ends_with("/m gs://bkt1/ \n")) << called;
  EXPECT_EQ(read(path("sent/o/2")), "2");
}

TEST_F(GcsRemoteTest, GetsManyByName) {
  client("gcloud", R"(case "$*" in
  *stdin*) while read -r url; do echo "${url##*/}" >"$4${url##*/}"; done ;;
  *) echo x >"$4" ;;
esac)");
  std::vector<Download> downloads;
  for (const char* key : {"a/1", "a/2", "a/3", "b/1"}) {  // two of the same last part
    downloads.push_back({key, path("got" + std::to_string(downloads.size())), 2});
  }
  open()->get_many(downloads);
  EXPECT_EQ(read(path("got1")), "2\n");
  EXPECT_EQ(read(path("got3")), "x\n");
  EXPECT_TRUE(contains(calls(), "storage cp gs://bkt1/m/b/1 "));
}

TEST_F(GcsRemoteTest, RemovalIsJudgedByWhatIsLeft) {
  const std::string failing = "echo 'ERROR: something' >&2; exit 1";
  client("gcloud", "[ \"$2\" = rm ] || { echo '[]'; exit; }; " + failing);
  open()->remove(std::vector<std::string>{"a"});
  client("gcloud", R"([ "$2" = rm ] || { echo '[{"name":"m/a","size":"1"}]'; exit; }; )" + failing);
  open()->remove(std::vector<std::string>{"b"});
  const std::string message = error_of(Exit::output, [&] { open()->remove(std::vector<std::string>{"a"}); });
  EXPECT_TRUE(contains(message, "something")) << message;
}

TEST_F(GcsRemoteTest, RefusesNamesThatAreTakenForPatterns) {
  error_of(Exit::usage, [&] { open()->head("a*"); });
  error_of(Exit::usage, [&] { open()->put(upload("a#1", "x"), {}); });
}

TEST_F(GcsRemoteTest, TellsOfPublicBuckets) {
  client("gcloud", R"(echo '{"bindings":[{"members":["allUsers"],"role":"roles/storage.objectViewer"}]}')");
  EXPECT_EQ(open()->public_access(), "the policy of gs://bkt1 lets everybody in");
  client("gcloud", "echo '{}'");
  EXPECT_EQ(open()->public_access(), "");
}

}  // namespace
}  // namespace lepton
