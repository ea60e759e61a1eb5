// Amazon S3, and what speaks its protocol, through `aws`, version 1 or 2.
#include <cstdlib>

#include "base/error.h"
#include "push/answers.h"
#include "push/client.h"

namespace lepton {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

// Below what `aws s3 cp` sends in parts by default: an object in parts has no MD5.
constexpr int64_t kSingleFrom = int64_t{8} << 20;
constexpr int64_t kMostInOnePut = int64_t{5} << 30;
constexpr size_t kMostRemovedAtOnce = 500;  // as JSON on a command line

std::string endpoint() {
  for (const char* name : {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

ClientTraits traits(const std::string& bucket) {
  return {"aws",
          "pip install awscli",
          "aws configure, or aws sso login",
          "aws s3 mb s3://" + bucket,
          {{"AWS_MAX_ATTEMPTS", "1"}, {"AWS_PAGER", ""}},
          {},
          {{"Unknown options", Cause::too_old},
           {"Unknown parameter in input", Cause::too_old},
           {"unrecognized arguments", Cause::too_old},
           {"PreconditionFailed", Cause::not_met},
           {"(412)", Cause::not_met},
           {"NoSuchBucket", Cause::no_bucket},
           {"NoSuchKey", Cause::no_object},
           {"(404)", Cause::no_object},
           {"Unable to locate credentials", Cause::credentials},
           {"InvalidAccessKeyId", Cause::credentials},
           {"SignatureDoesNotMatch", Cause::credentials},
           {"ExpiredToken", Cause::credentials},
           {"Token has expired", Cause::credentials},
           {"InvalidToken", Cause::credentials},
           {"RequestTimeTooSkewed", Cause::credentials},
           {"config profile", Cause::credentials},
           {"sso login", Cause::credentials},
           {"Partial credentials", Cause::credentials},
           {"AccessDenied", Cause::denied},
           {"(403)", Cause::denied},
           {"BadDigest", Cause::damaged},
           {"XAmzContent", Cause::damaged},
           {"did not match calculated checksum", Cause::damaged}}};
}

std::string md5_of_tag(const std::string& tag) { return is_md5(tag) ? tag : ""; }

class S3Remote : public ClientRemote {
 public:
  S3Remote(const Destination& destination, const RemoteOptions& options)
      : ClientRemote(destination, options, traits(destination.bucket), kSingleFrom), sse_key_(sse_key(options)) {}

  std::optional<StoredObject> get(const std::string& key, const std::string& file) override {
    const std::string part = file + ".part";
    Words argv = api("get-object", key);
    argv.insert(argv.end(), {"--checksum-mode", "ENABLED", part});
    const Client::Answer answer = client_.run(Verb::read, argv, key);
    if (answer.cause != Cause::none) return std::nullopt;
    move_file(part, file);
    return described(key, answer.out);
  }

  std::optional<StoredObject> head(const std::string& key) override {
    Words argv = api("head-object", key);
    argv.insert(argv.end(), {"--checksum-mode", "ENABLED"});
    const Client::Answer answer = client_.run(Verb::read, argv, key);
    if (answer.cause != Cause::none) return std::nullopt;
    return described(key, answer.out);
  }

  bool put(const Upload& upload, const Condition& condition) override {
    if (upload.size > kMostInOnePut) return put_in_parts(upload, condition);
    Words argv = api("put-object", upload.key);
    argv.insert(argv.end(), {"--body", upload.file, "--checksum-algorithm", "SHA256"});
    if (!upload.sha256.empty()) argv.insert(argv.end(), {"--checksum-sha256", base64_of_hex(upload.sha256)});
    if (!upload.type.empty()) argv.insert(argv.end(), {"--content-type", upload.type});
    if (condition.kind == Condition::Kind::absent) argv.insert(argv.end(), {"--if-none-match", "*"});
    if (condition.kind == Condition::Kind::unchanged) {
      argv.insert(argv.end(), {"--if-match", "\"" + condition.tag + "\""});
    }
    if (!sse_key_.empty()) {
      argv.insert(argv.end(), {"--server-side-encryption", "aws:kms", "--ssekms-key-id", sse_key_});
    }
    return write(argv, upload.key, condition);
  }

  std::vector<StoredObject> list(const std::string& below) override {
    Words argv{"aws", "s3api", "list-objects-v2", "--bucket", bucket(), "--prefix", prefix() + below};
    argv.insert(argv.end(), {"--query", "Contents[].[Key,Size,ETag,LastModified]"});
    const std::string text = client_.must(Verb::read, with_options(argv, true), below);
    return from_json(text, below, [&](const json& rows) { return listed(rows); });
  }

  void remove(std::span<const std::string> keys) override {
    for (size_t first = 0; first < keys.size(); first += kMostRemovedAtOnce) {
      json objects = json::array();
      for (const std::string& key : keys.subspan(first, std::min(kMostRemovedAtOnce, keys.size() - first))) {
        objects.push_back({{"Key", key_of(key)}});
      }
      const std::string request = json{{"Objects", objects}, {"Quiet", true}}.dump();
      const Words argv =
          with_options({"aws", "s3api", "delete-objects", "--bucket", bucket(), "--delete", request}, true);
      if (client_.scripting())
        client_.script(argv);
      else
        expect_removed(client_.must(Verb::write, argv, keys[first]));
    }
  }

  std::string public_access() override {
    const std::string answer = client_.ask(with_options(
        {"aws", "s3api", "get-bucket-policy-status", "--bucket", bucket(), "--query", "PolicyStatus.IsPublic"}, true));
    return answer.starts_with("true") ? "the policy of s3://" + bucket() + " lets everybody in" : "";
  }

 protected:
  void put_batch(std::span<const Upload> uploads) override {
    Staging folder(client_, Staging::Use::uploads);
    folder.link(uploads, "");
    const Words argv = copy({folder.path(), "s3://" + bucket() + "/" + prefix()}, {"--recursive"});
    write(argv, "", {});
  }

  std::vector<std::string> get_batch(std::span<const Download> downloads, const std::string& folder) override {
    Words includes{"--recursive", "--exclude", "*"};
    std::vector<std::string> places;
    for (const Download& download : downloads) {
      includes.insert(includes.end(), {"--include", as_pattern(full_key({}, download.key))});
      places.push_back(folder + "/" + download.key);
    }
    Words argv{"aws", "s3", "cp", "s3://" + bucket() + "/" + prefix(), folder, "--only-show-errors"};
    argv.insert(argv.end(), includes.begin(), includes.end());
    client_.run(Verb::read, with_options(argv, false), "");
    return places;
  }

 private:
  static Words with_options(Words argv, bool json_output) {
    if (json_output) argv.insert(argv.end(), {"--output", "json"});
    const std::string url = endpoint();
    if (!url.empty()) argv.insert(argv.end(), {"--endpoint-url", url});
    argv.insert(argv.end(), {"--cli-connect-timeout", "20", "--cli-read-timeout", "60"});
    return argv;
  }

  // The options come first: get-object takes the file's name last.
  Words api(const std::string& verb, const std::string& key) const {
    const std::string name = key_of(key);
    if (name.starts_with("file://") || name.starts_with("fileb://") || name.starts_with("http://") ||
        name.starts_with("https://")) {
      fail(Exit::usage, "{}: aws would read '{}' as the name of a file", client_.destination().text, name);
    }
    return with_options({"aws", "s3api", verb, "--bucket", bucket(), "--key", name}, true);
  }

  Words copy(const Words& operands, const Words& options) const {
    Words argv{"aws", "s3", "cp"};
    argv.insert(argv.end(), operands.begin(), operands.end());
    argv.insert(argv.end(), options.begin(), options.end());
    argv.insert(argv.end(), {"--only-show-errors", "--checksum-algorithm", "SHA256"});
    if (!sse_key_.empty()) argv.insert(argv.end(), {"--sse", "aws:kms", "--sse-kms-key-id", sse_key_});
    return with_options(argv, false);
  }

  bool put_in_parts(const Upload& upload, const Condition& condition) {
    if (condition.kind != Condition::Kind::always) {
      fail(Exit::usage, "{}: more than 5 GiB cannot be put on a condition",
           object_text(client_.destination(), upload.key));
    }
    return write(copy({upload.file, "s3://" + bucket() + "/" + key_of(upload.key)}, {}), upload.key, condition);
  }

  std::vector<StoredObject> listed(const json& rows) const {
    std::vector<StoredObject> objects;
    for (const json& row : rows) {
      const std::string tag = without_quotes(row.at(2).get<std::string>());
      // With a key of the provider's the tag looks like an MD5 and is none.
      objects.push_back({key_below(row.at(0).get<std::string>()), row.at(1).get<int64_t>(),
                         sse_key_.empty() ? md5_of_tag(tag) : "", "", "", tag,
                         parse_time(row.at(3).get<std::string>())});
    }
    std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return objects;
  }

  StoredObject described(const std::string& key, const std::string& text) const {
    return from_json(text, key, [&](const json& value) { return described(key, value); }, "{}");
  }

  static StoredObject described(const std::string& key, const json& value) {
    StoredObject object;
    object.key = key;
    object.size = value.value("ContentLength", int64_t{0});
    object.tag = without_quotes(value.value("ETag", ""));
    object.modified = parse_time(value.value("LastModified", ""));
    const std::string encryption = value.value("ServerSideEncryption", "");
    if ((encryption.empty() || encryption == "AES256") && !value.contains("SSECustomerAlgorithm")) {
      object.md5 = md5_of_tag(object.tag);
    }
    // "...-3" and COMPOSITE: a hash of the hashes of parts.
    if (value.value("ChecksumType", "") != "COMPOSITE") {
      object.sha256 = hex_of_base64(value.value("ChecksumSHA256", ""));
    }
    return object;
  }

  void expect_removed(const std::string& text) const {
    from_json(text, "", [&](const json& answer) {
      if (!answer.is_object() || !answer.contains("Errors") || answer["Errors"].empty()) return;
      const json& error = answer["Errors"][0];
      const std::string code = error.value("Code", ""), key = key_below(error.value("Key", ""));
      client_.raise(Verb::write, client_.cause_of(code), key, "aws said: " + code + " " + error.value("Message", ""));
    });
  }

  std::string sse_key_;
};

}  // namespace

std::unique_ptr<Remote> open_s3(const Destination& destination, const RemoteOptions& options) {
  return std::make_unique<S3Remote>(destination, options);
}

}  // namespace lepton
