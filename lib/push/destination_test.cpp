#include <gtest/gtest.h>

#include "push/remote_test.h"
#include "push/vendors.h"

namespace lepton {
namespace {

TEST(Destination, Folders) {
  EXPECT_EQ(parse_destination("file:///srv/models").prefix, "/srv/models/");
  EXPECT_EQ(parse_destination("out").prefix, "out/");
  EXPECT_EQ(parse_destination("../out/").prefix, "../out/");
  EXPECT_EQ(parse_destination("out").scheme, "file");
  EXPECT_TRUE(names_destination("file:///x"));
  EXPECT_FALSE(names_destination("out"));
  EXPECT_FALSE(names_destination("data.h5:test"));
  error_of(Exit::usage, [] { parse_destination("file://srv/models"); });
}

TEST(Destination, RefusesWhatIsNoDestination) {
  error_of(Exit::usage, [] { parse_destination(""); });
  error_of(Exit::usage, [] { parse_destination("a\nb"); });
  const std::string message = error_of(Exit::usage, [] { parse_destination("http://bucket/x"); });
  EXPECT_TRUE(contains(message, "http://bucket/x: no kind of destination")) << message;
  EXPECT_TRUE(contains(message, "file:///srv/models/")) << message;
}

TEST(Destination, Buckets) {
  const Destination s3 = parse_destination("s3://bkt1/a//b c");
  EXPECT_EQ(s3.bucket, "bkt1");
  EXPECT_EQ(s3.prefix, "a/b c/");
  EXPECT_EQ(parse_destination("gs://bkt1").prefix, "");
  EXPECT_EQ(parse_destination("gs://bkt1/").prefix, "");
  const Destination azure = parse_destination("az://account1/box/models/");
  EXPECT_EQ(azure.account, "account1");
  EXPECT_EQ(azure.bucket, "box");
  EXPECT_EQ(azure.prefix, "models/");
  EXPECT_EQ(azure.text, "az://account1/box/models/");
  for (const char* wrong :
       {"s3://", "s3:///x", "s3://b", "s3://Bucket/x", "s3://bkt1/../x", "s3://bkt1/./x", "gs://bkt1/a*",
        "gs://bkt1/a#1", "az://account1", "az://account1/", "az://acc-ount/box", "s3://my bucket/"}) {
    EXPECT_TRUE(contains(error_of(Exit::usage, [&] { parse_destination(wrong); }), "; for example ")) << wrong;
  }
}

TEST(Destination, KeysStayBelowIt) {
  const Destination destination = parse_destination("/srv");
  EXPECT_EQ(full_key(destination, "a/b"), "/srv/a/b");
  for (const char* key : {"", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\nb"}) {
    error_of(Exit::integrity, [&] { full_key(destination, key); });
  }
  EXPECT_EQ(object_text(destination, "a"), "/srv/a");
}

}  // namespace
}  // namespace lepton
