// What all clients share, tried through `aws`.
#include "push/client.h"

#include "push/answers.h"
#include "push/remote_test.h"

namespace lepton {
namespace {

TEST(Answers, Hashes) {
  EXPECT_EQ(hex_of_base64("dk76iD3aHhHbR2ccSju9ng=="), "764efa883dda1e11db47671c4a3bbd9e");
  EXPECT_EQ(base64_of_hex("764efa883dda1e11db47671c4a3bbd9e"), "dk76iD3aHhHbR2ccSju9ng==");
  EXPECT_EQ(hex_of_base64("G9ywgw=="), "1bdcb083");
  EXPECT_EQ(hex_of_base64("mOpuTyFvL7S2n/+bOkSELDhobKaF8/VdxIxdP7EQe+Q=-3"), "");
  EXPECT_EQ(hex_of_base64(""), "");
  EXPECT_TRUE(is_md5("764efa883dda1e11db47671c4a3bbd9e"));
  EXPECT_FALSE(is_md5("764efa883dda1e11db47671c4a3bbd9e-3"));
}

TEST(Answers, Times) {
  EXPECT_EQ(parse_time("2026-11-25T09:35:34.000Z"), 1795599334);
  EXPECT_EQ(parse_time("2026-11-25T09:35:34+00:00"), 1795599334);
  EXPECT_EQ(parse_time("Wed, 25 Nov 2026 09:35:34 GMT"), 1795599334);
  EXPECT_EQ(parse_time("yesterday"), 0);
}

TEST(Answers, ComplaintsAreOneLine) {
  EXPECT_EQ(complaint("\nAn error occurred (NoSuchKey) when calling: gone\n\n"),
            "An error occurred (NoSuchKey) when calling: gone");
  EXPECT_EQ(complaint("upload failed: a/b to s3://c An error occurred (X) when"), "An error occurred (X) when");
  EXPECT_EQ(complaint("ERROR: The blob is gone.\nRequestId:1\nTime:2\nErrorCode:BlobNotFound\n"), "The blob is gone.");
  EXPECT_EQ(complaint("ERROR: \nThe request may be blocked\nmore\n"), "The request may be blocked");
  EXPECT_EQ(complaint("Copying file://a to gs://b\nERROR: HTTPError 412: Precondition failed\n\n"),
            "HTTPError 412: Precondition failed");
  EXPECT_EQ(complaint(""), "");
  EXPECT_EQ(complaint("a\x1b[31mb"), "a [31mb");
  EXPECT_LT(complaint(std::string(5000, 'x')).size(), 400U);
}

TEST(Answers, SecretsAreLeftOut) {
  for (const char* line :
       {"bad AccountKey=sEcReT;more", "url?sv=1&sig=sEcReT&x=1", "Authorization: sEcReT", "http://user:sEcReT@host/x",
        "X-Amz-Signature=sEcReT", "x Bearer sEcReT", "token=sEcReT", "AWS_SECRET_ACCESS_KEY=sEcReT"}) {
    EXPECT_FALSE(contains(without_secrets(line), "sEcReT")) << without_secrets(line);
  }
  EXPECT_EQ(without_secrets("s3://b/k: (403) Forbidden, signature does not match"),
            "s3://b/k: (403) Forbidden, signature does not match");
}

struct Failure {
  const char* said;
  Exit write, read;
  const char* part;  // of the message
};

TEST_F(ClientTest, FailuresAreToldApart) {
  const Failure failures[] = {
      {"An error occurred (AccessDenied) when calling the PutObject operation: no", Exit::output, Exit::no_input,
       "s3://bkt1/m/k: access denied (aws said: An error occurred (AccessDenied)"},
      {"Unable to locate credentials", Exit::output, Exit::no_input, "log in with: aws configure"},
      {"An error occurred (NoSuchBucket) when", Exit::output, Exit::no_input, "aws s3 mb s3://bkt1"},
      {"An error occurred (SlowDown) when", Exit::try_later, Exit::try_later, "try again later"},
      {"An error occurred (503) when", Exit::try_later, Exit::try_later, "try again later"},
      {"Could not connect to the endpoint URL: \"http://x:y@h\"", Exit::try_later, Exit::try_later, "http://...@h"},
      {"Read timeout on endpoint URL", Exit::try_later, Exit::try_later, "cannot be reached now"},
      {"An error occurred (BadDigest) when", Exit::integrity, Exit::integrity, "did not arrive as it was sent"},
      {"Unknown options: --if-none-match,*", Exit::usage, Exit::usage, "this aws is too old"},
      {"something new", Exit::output, Exit::no_input, "failed (aws said: something new)"},
      {"", Exit::output, Exit::no_input, "failed (aws ended with status 9)"},
  };
  const auto remote = open_remote(parse_destination("s3://bkt1/m"), options_);
  const Upload file = upload("k", "x");
  for (const Failure& failure : failures) {
    client("aws", "echo '" + std::string(failure.said) + "' >&2; exit 9");
    for (const bool reading : {false, true}) {
      const std::string message = error_of(reading ? failure.read : failure.write, [&] {
        if (reading)
          remote->head("k");
        else
          remote->put(file, {});
      });
      EXPECT_TRUE(contains(message, failure.part)) << message;
      EXPECT_TRUE(message.starts_with("s3://bkt1/m/k: ")) << message;
    }
  }
}

TEST_F(ClientTest, EndsAndDeadlinesMayPass) {
  options_.timeout_seconds = 0.2;
  const auto remote = open_remote(parse_destination("s3://bkt1/m"), options_);
  client("aws", "sleep 20");
  EXPECT_TRUE(contains(error_of(Exit::try_later, [&] { remote->head("k"); }), "not done after 0.2 s"));
  options_.timeout_seconds = 20;
  client("aws", "kill -9 $$");
  const auto patient = open_remote(parse_destination("s3://bkt1/m"), options_);
  EXPECT_TRUE(contains(error_of(Exit::try_later, [&] { patient->head("k"); }), "ended by signal 9"));
  client("aws", "echo rubbish");
  EXPECT_TRUE(contains(error_of(Exit::no_input, [&] { patient->head("k"); }), "not understood"));
  client("aws", "echo '[1]'");
  EXPECT_TRUE(contains(error_of(Exit::no_input, [&] { patient->list(""); }), "not understood"));
}

TEST_F(ClientTest, AMissingClientIsNamed) {
  set("PATH", "/nowhere");
  for (const auto& [text, part] :
       {std::pair{"s3://bkt1/", "no aws in PATH, which it needs: pip install awscli"},
        std::pair{"gs://bkt1/", "google-cloud-cli"}, std::pair{"az://acc1/bkt1/", "apt-get install azure-cli"}}) {
    const auto remote = open_remote(parse_destination(text), options_);
    const std::string message = error_of(Exit::usage, [&] { remote->list(""); });
    EXPECT_TRUE(contains(message, part)) << message;
    EXPECT_EQ(remote->public_access(), "");
  }
}

TEST_F(ClientTest, EncryptionIsAskedForAsKmsKey) {
  options_.sse = "aes";
  error_of(Exit::usage, [&] { open_remote(parse_destination("s3://bkt1/"), options_); });
  options_.sse = "kms:";
  error_of(Exit::usage, [&] { open_remote(parse_destination("gs://bkt1/"), options_); });
}

}  // namespace
}  // namespace lepton
