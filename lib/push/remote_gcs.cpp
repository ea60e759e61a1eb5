// Google Cloud Storage through `gcloud storage`.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "push/answers.h"
#include "push/client.h"

namespace lepton {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

constexpr int64_t kSingleFrom = int64_t{32} << 20;
constexpr const char* kFields = "json(name,size,generation,crc32c,md5Hash,updated,timeDeleted)";

ClientTraits traits(const std::string& bucket) {
  return {"gcloud",
          "https://cloud.google.com/sdk/docs/install (package google-cloud-cli)",
          "gcloud auth login",
          "gcloud storage buckets create gs://" + bucket,
          // One process, so that ending it ends it; whole objects, which have an MD5.
          {{"CLOUDSDK_CORE_DISABLE_PROMPTS", "1"},
           {"CLOUDSDK_STORAGE_PROCESS_COUNT", "1"},
           {"CLOUDSDK_STORAGE_THREAD_COUNT", "8"},
           {"CLOUDSDK_STORAGE_PARALLEL_COMPOSITE_UPLOAD_ENABLED", "false"},
           {"CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "true"}},
          {},
          {{"unrecognized arguments", Cause::too_old},
           {"Invalid choice", Cause::too_old},
           {"HTTPError 412", Cause::not_met},
           {"conditionNotMet", Cause::not_met},
           {"gs://" + bucket + " not found", Cause::no_bucket},
           {"bucket does not exist", Cause::no_bucket},
           {"matched no objects", Cause::no_object},
           {"not found: 404", Cause::no_object},
           {"active account", Cause::credentials},
           {"Reauthentication", Cause::credentials},
           {"invalid_grant", Cause::credentials},
           {"gcloud auth login", Cause::credentials},
           {"HTTPError 401", Cause::credentials},
           {"HTTPError 403", Cause::denied},
           {"does not have permission", Cause::denied},
           {"does not have storage.", Cause::denied},
           {"AccessDenied", Cause::denied},
           {"hash mismatch", Cause::damaged},
           {"HashMismatch", Cause::damaged},
           {"did not match", Cause::damaged}}};
}

int64_t number(const json& value, const char* name) {
  const auto found = value.find(name);
  if (found == value.end()) return 0;
  return found->is_string() ? parse_int(found->get<std::string>()).value_or(0) : found->get<int64_t>();
}

class GcsRemote : public ClientRemote {
 public:
  GcsRemote(const Destination& destination, const RemoteOptions& options)
      : ClientRemote(destination, options, traits(destination.bucket), kSingleFrom), sse_key_(sse_key(options)) {}

  // Told by a second process only what the copy was: callers that need its tag list first.
  std::optional<StoredObject> get(const std::string& key, const std::string& file) override {
    const std::string part = file + ".part";
    if (client_.run(Verb::read, {"gcloud", "storage", "cp", url(key), part}, key).cause != Cause::none) {
      return std::nullopt;
    }
    move_file(part, file);
    StoredObject object;
    object.key = key;
    return object;
  }

  std::optional<StoredObject> head(const std::string& key) override {
    const Words argv{"gcloud", "storage", "objects", "describe", url(key), "--raw", std::string("--format=") + kFields};
    const Client::Answer answer = client_.run(Verb::read, argv, key);
    if (answer.cause != Cause::none) return std::nullopt;
    return from_json(answer.out, key, [&](const json& value) { return described(value); });
  }

  bool put(const Upload& upload, const Condition& condition) override {
    Words argv{"gcloud", "storage", "cp", upload.file, url(upload.key)};
    if (!upload.md5.empty()) argv.push_back("--content-md5=" + base64_of_hex(upload.md5));
    if (!upload.type.empty()) argv.push_back("--content-type=" + upload.type);
    if (condition.kind == Condition::Kind::absent) argv.push_back("--if-generation-match=0");
    if (condition.kind == Condition::Kind::unchanged) argv.push_back("--if-generation-match=" + condition.tag);
    return write(encrypted(argv), upload.key, condition);
  }

  std::vector<StoredObject> list(const std::string& below) override {
    const Words argv{"gcloud",
                     "storage",
                     "objects",
                     "list",
                     "gs://" + bucket() + "/" + prefix() + below + "**",
                     "--raw",
                     std::string("--format=") + kFields};
    const Client::Answer answer = client_.run(Verb::read, argv, below);
    std::vector<StoredObject> objects;
    if (answer.cause != Cause::none) return objects;
    from_json(answer.out, below, [&](const json& values) {
      for (const json& value : values) {
        if (!value.contains("timeDeleted")) objects.push_back(described(value));  // else an older version
      }
    });
    std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return objects;
  }

  // A failure may only say that some were not there: what is left tells.
  void remove(std::span<const std::string> keys) override {
    if (keys.empty()) return;
    Words argv{"gcloud", "storage", "rm", "--continue-on-error"};
    if (client_.scripting()) {
      for (const std::string& key : keys) argv.push_back(url(key));
      client_.script_line(shell_quoted(argv) + " || true");
      return;
    }
    argv.emplace_back("--read-paths-from-stdin");
    std::string urls;
    for (const std::string& key : keys) urls += url(key) + "\n";
    std::exception_ptr failure;
    try {
      if (client_.run(Verb::write, argv, keys[0], urls).cause == Cause::none) return;
    } catch (const Error& error) {
      if (error.status() != Exit::output) throw;
      failure = std::current_exception();
    }
    expect_gone(keys, failure);
  }

  std::string public_access() override {
    const std::string answer =
        client_.ask({"gcloud", "storage", "buckets", "get-iam-policy", "gs://" + bucket(), "--format=json(bindings)"});
    const bool open = answer.find("\"allUsers\"") != std::string::npos ||
                      answer.find("\"allAuthenticatedUsers\"") != std::string::npos;
    return open ? "the policy of gs://" + bucket() + " lets everybody in" : "";
  }

 protected:
  // Onto the bucket itself, which is always there: below it gcloud would first ask whether a folder of that name is.
  void put_batch(std::span<const Upload> uploads) override {
    Staging folder(client_, Staging::Use::uploads);
    folder.link(uploads, prefix());
    std::set<std::string> tops;
    for (const Upload& upload : uploads) {
      const std::string key = key_of(upload.key);
      tops.insert(key.substr(0, key.find('/')));
    }
    Words argv{"gcloud", "storage", "cp", "--recursive"};
    for (const std::string& top : tops) argv.push_back(folder.path() + "/" + top);
    argv.push_back("gs://" + bucket() + "/");
    write(encrypted(argv), "", {});
  }

  // It puts all into one folder: those whose last parts are the same come one by one.
  std::vector<std::string> get_batch(std::span<const Download> downloads, const std::string& folder) override {
    std::set<std::string> names;
    std::vector<std::string> places;
    std::string urls;
    for (const Download& download : downloads) {
      const std::string name = download.key.substr(download.key.rfind('/') + 1);
      const bool fresh = names.insert(name).second;
      if (fresh) urls += url(download.key) + "\n";
      places.push_back(fresh ? fmt::format("{}/{}", folder, name) : "");
    }
    client_.run(Verb::read, {"gcloud", "storage", "cp", "--read-paths-from-stdin", folder + "/"}, "", urls);
    return places;
  }

 private:
  std::string url(const std::string& key) const {
    const std::string name = key_of(key);
    if (name.find_first_of("*?[]#") != std::string::npos) {
      fail(Exit::usage, "{}: gcloud does not take '{}' for the name of an object", client_.destination().text, name);
    }
    return "gs://" + bucket() + "/" + name;
  }

  Words encrypted(Words argv) const {
    if (!sse_key_.empty()) argv.push_back("--encryption-key=" + sse_key_);
    return argv;
  }

  void expect_gone(std::span<const std::string> keys, const std::exception_ptr& failure) {
    const std::vector<StoredObject> left = list("");
    const std::set<std::string> asked(keys.begin(), keys.end());
    const auto found =
        std::find_if(left.begin(), left.end(), [&](const StoredObject& object) { return asked.contains(object.key); });
    if (found == left.end()) return;
    if (failure) std::rethrow_exception(failure);
    client_.raise(Verb::write, Cause::unknown, found->key, "gcloud did not remove it");
  }

  StoredObject described(const json& value) const {
    const auto text = [&](const char* name) { return value.value(name, ""); };
    return {key_below(text("name")),
            number(value, "size"),
            hex_of_base64(text("md5Hash")),
            hex_of_base64(text("crc32c")),
            "",
            std::to_string(number(value, "generation")),
            parse_time(text("updated"))};
  }

  std::string sse_key_;
};

}  // namespace

std::unique_ptr<Remote> open_gcs(const Destination& destination, const RemoteOptions& options) {
  return std::make_unique<GcsRemote>(destination, options);
}

}  // namespace lepton
