// Azure Blob Storage through `az storage`.
#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "push/answers.h"
#include "push/client.h"

namespace lepton {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

// What a batch sends in blocks gets no MD5.
constexpr int64_t kSingleFrom = int64_t{32} << 20;
constexpr const char* kFields =
    "name,properties.contentLength,properties.contentSettings.contentMd5,properties.etag,properties.lastModified";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool speaks_of(const std::string& connection, const std::string& account) {
  const std::string text = connection + ";";
  if (text.find("AccountName=") != std::string::npos) {
    return text.find("AccountName=" + account + ";") != std::string::npos;
  }
  return text.find("//" + account + ".") != std::string::npos || text.find("/" + account + ";") != std::string::npos;
}

// The user's settings, without those for another account, which az would follow rather than --account-name.
struct Access {
  std::vector<std::pair<std::string, std::string>> environment;
  bool log_in = false;  // nothing but az login speaks for us
};

Access access_to(const std::string& account) {
  Access access;
  bool keyed = false;
  const std::string connection = variable("AZURE_STORAGE_CONNECTION_STRING");
  if (!connection.empty()) {
    keyed = speaks_of(connection, account);
    if (!keyed) access.environment.emplace_back("AZURE_STORAGE_CONNECTION_STRING", "");
  }
  const std::string named = variable("AZURE_STORAGE_ACCOUNT");
  for (const char* name : {"AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"}) {
    if (variable(name).empty()) continue;
    if (named.empty() || named == account)
      keyed = true;
    else
      access.environment.emplace_back(name, "");
  }
  access.log_in = !keyed && variable("AZURE_STORAGE_AUTH_MODE").empty();
  return access;
}

ClientTraits traits(const Destination& destination, const Access& access) {
  ClientTraits traits{"az",
                      "apt-get install azure-cli, or pip install azure-cli",
                      "az login, or set AZURE_STORAGE_CONNECTION_STRING",
                      "az storage container create --account-name " + destination.account + " -n " + destination.bucket,
                      {{"AZURE_CORE_ONLY_SHOW_ERRORS", "true"}},
                      {},
                      {{"unrecognized arguments", Cause::too_old},
                       {"misspelled or not recognized", Cause::too_old},
                       {"ConditionNotMet", Cause::not_met},
                       {"BlobAlreadyExists", Cause::not_met},
                       {"ContainerNotFound", Cause::no_bucket},
                       {"ContainerBeingDeleted", Cause::no_bucket},
                       {"container does not exist", Cause::no_bucket},
                       {"BlobNotFound", Cause::no_object},
                       {"blob does not exist", Cause::no_object},
                       {"AuthorizationFailure", Cause::denied},
                       {"AuthorizationPermissionMismatch", Cause::denied},
                       {"InsufficientAccountPermissions", Cause::denied},
                       {"required permissions", Cause::denied},
                       {"az login", Cause::credentials},
                       {"AuthenticationFailed", Cause::credentials},
                       {"InvalidAuthenticationInfo", Cause::credentials},
                       {"NoAuthenticationInformation", Cause::credentials},
                       {"AADSTS", Cause::credentials},
                       {"Missing credentials", Cause::credentials},
                       {"storage account name", Cause::credentials},
                       {"network rules", Cause::credentials},
                       {"Md5Mismatch", Cause::damaged}}};
  for (const auto& [name, value] : access.environment) {
    traits.environment.emplace_back(name, value);
    if (traits.prefix.empty()) traits.prefix.emplace_back("env");
    traits.prefix.push_back(fmt::format("{}={}", name, value));
  }
  return traits;
}

class AzureRemote : public ClientRemote {
 public:
  AzureRemote(const Destination& destination, const RemoteOptions& options, const Access& access)
      : ClientRemote(destination, options, traits(destination, access), kSingleFrom),
        log_in_(access.log_in),
        scope_(sse_key(options)) {}

  std::optional<StoredObject> get(const std::string& key, const std::string& file) override {
    const std::string part = file + ".part";
    Words argv = blob("download", key);
    argv.insert(argv.end(), {"-f", part, "--no-progress", "--query", query("")});
    const Client::Answer answer = client_.run(Verb::read, argv, key);
    if (answer.cause != Cause::none) return std::nullopt;
    move_file(part, file);
    return from_json(answer.out, key, [&](const json& row) { return described(row); });
  }

  std::optional<StoredObject> head(const std::string& key) override {
    Words argv = blob("show", key);
    argv.insert(argv.end(), {"--query", query("")});
    const Client::Answer answer = client_.run(Verb::read, argv, key);
    if (answer.cause != Cause::none) return std::nullopt;
    return from_json(answer.out, key, [&](const json& row) { return described(row); });
  }

  bool put(const Upload& upload, const Condition& condition) override {
    Words argv = blob("upload", upload.key);
    argv.insert(argv.end(), {"-f", upload.file, "--validate-content", "--no-progress"});
    if (!upload.md5.empty()) argv.insert(argv.end(), {"--content-md5", base64_of_hex(upload.md5)});
    if (!upload.type.empty()) argv.insert(argv.end(), {"--content-type", upload.type});
    argv.insert(argv.end(), {"--overwrite", condition.kind == Condition::Kind::absent ? "false" : "true"});
    if (condition.kind == Condition::Kind::unchanged) {
      argv.insert(argv.end(), {"--if-match", "\"" + condition.tag + "\""});
    }
    return write(encrypted(argv), upload.key, condition);
  }

  std::vector<StoredObject> list(const std::string& below) override {
    Words argv{"az", "storage", "blob", "list", "-c", bucket(), "--num-results", "*", "--query", query("[].")};
    if (!(prefix() + below).empty()) argv.insert(argv.end(), {"--prefix", prefix() + below});
    std::vector<StoredObject> objects;
    from_json(client_.must(Verb::read, with_options(argv), below), below, [&](const json& rows) {
      for (const json& row : rows) objects.push_back(described(row));
    });
    std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return objects;
  }

  void remove(std::span<const std::string> keys) override {
    in_parallel(keys.size(), client_.scripting() ? 1 : client_.options().parallel, [&](size_t i) {
      const Words argv = blob("delete", keys[i]);
      if (client_.scripting())
        client_.script_line(client_.script_text(argv) + " || true");
      else
        client_.run(Verb::write, argv, keys[i]);
    });
  }

  std::string public_access() override {
    const std::string answer = client_.ask(
        with_options({"az", "storage", "container", "show", "-n", bucket(), "--query", "properties.publicAccess"}));
    const bool open = answer.starts_with("\"blob\"") || answer.starts_with("\"container\"");
    return open ? "the container " + bucket() + " lets everybody read" : "";
  }

 protected:
  void put_batch(std::span<const Upload> uploads) override {
    Staging folder(client_, Staging::Use::uploads);
    folder.link(uploads, prefix());
    Words argv{"az", "storage", "blob", "upload-batch", "-d", bucket(), "-s", folder.path()};
    argv.insert(argv.end(), {"--overwrite", "true", "--validate-content", "--no-progress"});
    write(encrypted(with_options(argv)), "", {});
  }

  // download-batch takes one pattern: worth it where most of what fits it is wanted.
  std::vector<std::string> get_batch(std::span<const Download> downloads, const std::string& folder) override {
    std::string common = downloads[0].key;
    for (const Download& download : downloads) {
      const auto [end, ignored] = std::mismatch(common.begin(), common.end(), download.key.begin(), download.key.end());
      common.erase(end, common.end());
    }
    common.erase(common.rfind('/') + 1);  // npos + 1 is 0
    int64_t wanted = 0, there = 0;
    for (const Download& download : downloads) wanted += download.size;
    const std::vector<StoredObject> objects = list(common);
    for (const StoredObject& object : objects) there += object.size;
    if (objects.size() > 2 * downloads.size() || there / 2 > wanted) return {};
    const Words argv{"az",
                     "storage",
                     "blob",
                     "download-batch",
                     "-d",
                     folder,
                     "-s",
                     bucket(),
                     "--pattern",
                     as_pattern(prefix() + common) + "*",
                     "--no-progress",
                     "--query",
                     "length(@)"};
    client_.run(Verb::read, with_options(argv), "");
    std::vector<std::string> places;
    for (const Download& download : downloads) places.push_back(folder + "/" + key_of(download.key));
    return places;
  }

 private:
  Words with_options(Words argv) const {
    argv.insert(argv.end(), {"--account-name", client_.destination().account, "--only-show-errors", "-o", "json"});
    if (log_in_) argv.insert(argv.end(), {"--auth-mode", "login"});
    return argv;
  }

  Words blob(const std::string& verb, const std::string& key) const {
    return with_options({"az", "storage", "blob", verb, "-c", bucket(), "-n", key_of(key)});
  }

  Words encrypted(Words argv) const {
    if (!scope_.empty()) argv.insert(argv.end(), {"--encryption-scope", scope_});
    return argv;
  }

  static std::string query(const std::string& of) { return of + "[" + kFields + "]"; }

  StoredObject described(const json& row) const {
    const auto text = [&](size_t i) { return row.at(i).is_string() ? row.at(i).get<std::string>() : ""; };
    return {key_below(text(0)),      row.at(1).get<int64_t>(), hex_of_base64(text(2)), "", "",
            without_quotes(text(3)), parse_time(text(4))};
  }

  bool log_in_;
  std::string scope_;
};

}  // namespace

std::unique_ptr<Remote> open_azure(const Destination& destination, const RemoteOptions& options) {
  return std::make_unique<AzureRemote>(destination, options, access_to(destination.account));
}

}  // namespace lepton
