#include <vector>

#include "push/remote_test.h"

namespace lepton {
namespace {

class AzureRemoteTest : public ClientTest {
 protected:
  std::unique_ptr<Remote> open() { return open_remote(parse_destination("az://acc1/bkt1/m"), options_); }
};

TEST_F(AzureRemoteTest, PutsWithHashAndCondition) {
  client("az", "exit 0");
  const Upload file = upload("k", "one\n");
  open()->put(file, {});
  std::string called = calls();
  EXPECT_TRUE(contains(called, "storage blob upload -c bkt1 -n m/k --account-name acc1 ")) << called;
  EXPECT_TRUE(contains(called, "--validate-content --no-progress --content-md5 W79aUjKOdDmubnGd/nEiAA== ")) << called;
  EXPECT_TRUE(contains(called, "--overwrite true ")) << called;
  open()->put(file, {Condition::Kind::absent, ""});
  EXPECT_TRUE(contains(calls(), "--overwrite false "));
  options_.sse = "kms:scope1";
  open()->put(file, {Condition::Kind::unchanged, "0x12"});
  called = calls();
  EXPECT_TRUE(contains(called, "--overwrite true --if-match \"0x12\" --encryption-scope scope1 ")) << called;
  for (const char* code : {"ConditionNotMet", "BlobAlreadyExists"}) {
    client("az", "printf 'ERROR: no.\\nErrorCode:" + std::string(code) + "\\n' >&2; exit 1");
    EXPECT_FALSE(open()->put(file, {Condition::Kind::absent, ""}));
  }
}

TEST_F(AzureRemoteTest, UsesOnlyCredentialsOfItsAccount) {
  client("az", "echo \"conn=$AZURE_STORAGE_CONNECTION_STRING key=$AZURE_STORAGE_KEY\" >>'" + path("calls") + "'");
  const auto called = [&] {
    open()->put(upload("k", "x"), {});
    return calls();
  };
  EXPECT_TRUE(contains(called(), "--auth-mode login "));
  set("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acc1;AccountKey=a");
  std::string with = called();
  EXPECT_FALSE(contains(with, "--auth-mode")) << with;
  EXPECT_TRUE(contains(with, "conn=AccountName=acc1;")) << with;
  set("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acc12;AccountKey=a");
  with = called();
  EXPECT_TRUE(contains(with, "--auth-mode login ")) << with;
  EXPECT_TRUE(contains(with, "conn= ")) << with;
  set("AZURE_STORAGE_CONNECTION_STRING", "");
  set("AZURE_STORAGE_KEY", "kkk");
  set("AZURE_STORAGE_ACCOUNT", "other");
  EXPECT_TRUE(contains(called(), "key=\n"));
  set("AZURE_STORAGE_ACCOUNT", "acc1");
  with = called();
  EXPECT_TRUE(contains(with, "key=kkk\n")) << with;
  EXPECT_FALSE(contains(with, "--auth-mode")) << with;
}

TEST_F(AzureRemoteTest, ReadsListings) {
  client("az", R"(cat <<'END'
[["m/b",3,"dk76iD3aHhHbR2ccSju9ng==","0x224646AF6C49460","2026-11-25T09:35:34+00:00"],["m/a",4,null,"0x1",null]]
END)");
  const auto objects = open()->list("x/");
  EXPECT_TRUE(contains(calls(), "storage blob list -c bkt1 --num-results * "));
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0].md5, "");
  EXPECT_EQ(objects[1].md5, "764efa883dda1e11db47671c4a3bbd9e");
  EXPECT_EQ(objects[1].tag, "0x224646AF6C49460");
  EXPECT_EQ(objects[1].modified, 1795599334);
  client("az", R"(echo '["m/k",3,null,"\"0x9\"",null]')");
  EXPECT_EQ(open()->head("k")->tag, "0x9");
  client("az", "printf 'ERROR: gone.\\nErrorCode:BlobNotFound\\n' >&2; exit 3");
  EXPECT_FALSE(open()->head("k"));
  open()->remove(std::vector<std::string>{"k"});
  client("az", "printf 'ERROR: gone.\\nErrorCode:ContainerNotFound\\n' >&2; exit 3");
  error_of(Exit::no_input, [&] { open()->list(""); });
}

TEST_F(AzureRemoteTest, ABatchIsOneProcess) {
  client("az", "while [ \"$1\" != -s ]; do shift; done; cp -rL \"$2\" '" + path("sent") + "'");
  open()->put_many(std::vector{upload("o/1", "1"), upload("o/2", "2")});
  EXPECT_TRUE(contains(calls(), "storage blob upload-batch -d bkt1 -s "));
  EXPECT_EQ(read(path("sent/m/o/2")), "2");
}

TEST_F(AzureRemoteTest, DownloadsABatchOnlyWhenMostIsWanted) {
  const std::string body = R"(case "$*" in
  *download-batch*) while [ "$1" != -d ]; do shift; done; mkdir -p "$2/m/o"; for i in 1 2 3 4; do echo $i >"$2/m/o/$i"; done ;;
  *download*) while [ "$1" != -f ]; do shift; done; echo x >"$2"; echo '["m/k",2,null,null,null]' ;;
  *list*) cat ')" + path("listing") +
                           "' ;;\nesac";
  client("az", body);
  std::vector<Download> downloads;
  std::string listing;
  for (int i = 1; i <= 4; ++i) {
    downloads.push_back({"o/" + std::to_string(i), path("got" + std::to_string(i)), 2});
    listing += (i > 1 ? ",[\"m/o/" : "[\"m/o/") + std::to_string(i) + "\",2,null,null,null]";
  }
  write("listing", "[" + listing + "]");
  open()->get_many(downloads);
  EXPECT_EQ(read(path("got4")), "4\n");
  EXPECT_TRUE(contains(calls(), "--pattern m/o/* "));
  write("listing", "[" + listing + ",[\"m/o/large\",2000,null,null,null]]");
  for (Download& download : downloads) download.file += "again";
  open()->get_many(downloads);
  EXPECT_EQ(read(path("got4again")), "x\n");
  EXPECT_FALSE(contains(calls(), "download-batch"));
}

TEST_F(AzureRemoteTest, TellsOfPublicContainers) {
  client("az", "echo '\"container\"'");
  EXPECT_EQ(open()->public_access(), "the container bkt1 lets everybody read");
  client("az", "echo null");
  EXPECT_EQ(open()->public_access(), "");
}

}  // namespace
}  // namespace lepton
