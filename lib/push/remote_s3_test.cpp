#include <vector>

#include "push/remote_test.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

class S3RemoteTest : public ClientTest {
 protected:
  std::unique_ptr<Remote> open() { return open_remote(parse_destination("s3://bkt1/m"), options_); }
};

TEST_F(S3RemoteTest, PutsWithChecksumAndCondition) {
  client("aws", "echo '{}'");
  const Upload file = upload("k", "one\n");
  EXPECT_TRUE(open()->put(file, {}));
  std::string called = calls();
  EXPECT_TRUE(contains(called, "s3api put-object --bucket bkt1 --key m/k ")) << called;
  EXPECT_TRUE(contains(called, "--checksum-algorithm SHA256 --checksum-sha256 ")) << called;
  EXPECT_FALSE(contains(called, "acl") || contains(called, "--if-") || contains(called, "--endpoint-url")) << called;
  open()->put(file, {Condition::Kind::absent, ""});
  EXPECT_TRUE(contains(calls(), "--if-none-match * "));
  set("AWS_ENDPOINT_URL", "http://h:1");
  open()->put(file, {Condition::Kind::unchanged, "abc"});
  called = calls();
  EXPECT_TRUE(contains(called, "--if-match \"abc\" ")) << called;
  EXPECT_TRUE(contains(called, "--endpoint-url http://h:1 ")) << called;
  set("AWS_ENDPOINT_URL_S3", "http://h:2");
  options_.sse = "kms:alias/mine";
  open()->put(file, {});
  called = calls();
  EXPECT_TRUE(contains(called, "--server-side-encryption aws:kms --ssekms-key-id alias/mine ")) << called;
  EXPECT_TRUE(contains(called, "--endpoint-url http://h:2 ")) << called;
}

TEST_F(S3RemoteTest, ALostRaceIsNoError) {
  client("aws", "echo 'An error occurred (PreconditionFailed) when calling' >&2; exit 255");
  EXPECT_FALSE(open()->put(upload("k", "x"), {Condition::Kind::absent, ""}));
  client("aws", "echo 'An error occurred (NoSuchKey) when calling' >&2; exit 255");
  EXPECT_FALSE(open()->put(upload("k", "x"), {Condition::Kind::unchanged, "t"}));
  error_of(Exit::output, [&] { open()->put(upload("k", "x"), {}); });
}

TEST_F(S3RemoteTest, ReadsListings) {
  client("aws", R"(cat <<'END'
[["m/b",3,"\"764efa883dda1e11db47671c4a3bbd9e\"","2026-11-25T09:35:34.000Z"],
 ["m/a",9,"\"764efa883dda1e11db47671c4a3bbd9e-2\"","2026-11-25T09:35:34+00:00"]]
END)");
  const auto objects = open()->list("x/");
  EXPECT_TRUE(contains(calls(), "list-objects-v2 --bucket bkt1 --prefix m/x/ "));
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0].key, "a");
  EXPECT_EQ(objects[0].md5, "");  // sent in parts
  EXPECT_EQ(objects[0].tag, "764efa883dda1e11db47671c4a3bbd9e-2");
  EXPECT_EQ(objects[1].md5, "764efa883dda1e11db47671c4a3bbd9e");
  EXPECT_EQ(objects[1].modified, 1795599334);
  options_.sse = "kms:k";
  EXPECT_EQ(open()->list("")[1].md5, "");  // its tag is none
  client("aws", "echo null");
  EXPECT_TRUE(open()->list("").empty());
}

TEST_F(S3RemoteTest, BelievesOnlyHashesOfWholeObjects) {
  const std::string sum = R"("ChecksumSHA256": "mOpuTyFvL7S2n/+bOkSELDhobKaF8/VdxIxdP7EQe+Q=")";
  const std::string tag = R"("ETag": "\"764efa883dda1e11db47671c4a3bbd9e\"", "ContentLength": 3, )";
  client("aws", "echo '{" + tag + sum + ", \"LastModified\": \"Wed, 25 Nov 2026 09:35:34 GMT\"}'");
  auto object = open()->head("k");
  EXPECT_EQ(object->sha256, "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4");
  EXPECT_EQ(object->md5, "764efa883dda1e11db47671c4a3bbd9e");
  EXPECT_EQ(object->modified, 1795599334);
  EXPECT_EQ(object->size, 3);
  client("aws", "echo '{" + tag + sum + R"(, "ChecksumType": "COMPOSITE", "ServerSideEncryption": "aws:kms"}')");
  object = open()->head("k");
  EXPECT_EQ(object->md5 + object->sha256, "");
  client("aws", "echo 'An error occurred (404) when calling the HeadObject operation' >&2; exit 254");
  EXPECT_FALSE(open()->head("k"));
}

TEST_F(S3RemoteTest, ABatchIsOneProcessOverATreeOfLinks) {
  client("aws", "[ \"$2\" = cp ] && cp -rL \"$3\" '" + path("sent") + "'; exit 0");
  std::vector<Upload> uploads;
  for (int i = 0; i < 50; ++i) uploads.push_back(upload("objects/" + std::to_string(i), std::to_string(i)));
  open()->put_many(uploads);
  const std::string called = calls();
  EXPECT_EQ(std::count(called.begin(), called.end(), '\n'), 1);
  EXPECT_TRUE(contains(called, " s3://bkt1/m/ --recursive --only-show-errors --checksum-algorithm SHA256 ")) << called;
  EXPECT_EQ(read(path("sent/objects/7")), "7");
  EXPECT_TRUE(fs::is_empty(options_.staging));
}

TEST_F(S3RemoteTest, WhatABatchDoesNotBringComesByItself) {
  client("aws", R"(case "$*" in
  *recursive*) mkdir -p "$4/o"; for i in 1 2 3 4; do echo "$i" >"$4/o/$i"; done ;;
  *get-object*) for last; do :; done; echo 5 >"$last"; echo '{"ContentLength": 2}' ;;
esac)");
  std::vector<Download> downloads;
  for (int i = 1; i <= 5; ++i) {
    downloads.push_back({"o/" + std::to_string(i), path("got" + std::to_string(i)), 2});
  }
  open()->get_many(downloads);
  EXPECT_EQ(read(path("got4")), "4\n");
  EXPECT_EQ(read(path("got5")), "5\n");
  const std::string called = calls();
  EXPECT_EQ(std::count(called.begin(), called.end(), '\n'), 2);
  EXPECT_TRUE(contains(called, "--exclude * --include o/1 ")) << called;
  open()->get_many(downloads);  // all are there
  EXPECT_EQ(calls(), "");
}

TEST_F(S3RemoteTest, RemovesManyAndTellsWhatItCouldNot) {
  client("aws", "echo '{}'");
  open()->remove(std::vector<std::string>{"a", "b"});
  EXPECT_TRUE(contains(calls(), R"(delete-objects --bucket bkt1 --delete {"Objects":[{"Key":"m/a"},{"Key":"m/b"}],)"));
  client("aws", R"(echo '{"Errors":[{"Key":"m/b","Code":"AccessDenied","Message":"no"}]}')");
  const std::string message = error_of(Exit::output, [&] { open()->remove(std::vector<std::string>{"a", "b"}); });
  EXPECT_TRUE(contains(message, "s3://bkt1/m/b: access denied")) << message;
}

TEST_F(S3RemoteTest, AScriptCallsNothing) {
  client("aws", "exit 1");
  std::string script;
  options_.script = &script;
  const auto remote = open();
  remote->put_many(std::vector{upload("a", "1"), upload("b", "2")});
  remote->put(upload("p", "3"), {Condition::Kind::absent, ""});
  remote->remove(std::vector<std::string>{"a"});
  EXPECT_EQ(calls(), "");
  for (const char* part :
       {"mkdir -p -- ", "ln -s -- ", "aws s3 cp ", "rm -r -- ", "--if-none-match '*'", "aws s3api delete-objects"}) {
    EXPECT_TRUE(contains(script, part)) << script;
  }
}

TEST_F(S3RemoteTest, TellsOfPublicBuckets) {
  client("aws", "echo true");
  EXPECT_EQ(open()->public_access(), "the policy of s3://bkt1 lets everybody in");
  client("aws", "echo 'An error occurred (NoSuchBucketPolicy)' >&2; exit 255");
  EXPECT_EQ(open()->public_access(), "");
}

}  // namespace
}  // namespace lepton
