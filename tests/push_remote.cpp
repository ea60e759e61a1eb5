// One verb of one destination, as scripts that try the vendors' clients need it:
//   push_remote DEST list [PREFIX] | head KEY | get KEY FILE | get-all FOLDER [PREFIX] | public
//                  | put KEY FILE [absent | TAG] | put-all FOLDER | remove KEY...
// With SCRIPT=1 in the environment it prints the commands instead; SSE, TIMEOUT as of RemoteOptions; STAGING a folder.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "push/hashes.h"
#include "push/remote.h"

namespace {

using namespace lepton;
namespace fs = std::filesystem;

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

void show(const StoredObject& o) {
  std::printf("%s %lld md5=%s crc32c=%s sha256=%s tag=%s modified=%lld\n", o.key.c_str(),
              static_cast<long long>(o.size), o.md5.c_str(), o.crc32c.c_str(), o.sha256.c_str(), o.tag.c_str(),
              static_cast<long long>(o.modified));
}

Upload upload_of(const std::string& key, const std::string& file) {
  const FileHashes hashes = hash_file(file);
  return {key, file, hashes.size, hashes.sha256, hashes.md5, "application/octet-stream"};
}

int act(Remote& remote, const std::vector<std::string>& words) {
  const std::string& verb = words[0];
  const auto word = [&](size_t i) { return i < words.size() ? words[i] : std::string(); };
  if (verb == "list") {
    for (const StoredObject& object : remote.list(word(1))) show(object);
  } else if (verb == "head" || verb == "get") {
    const auto object = verb == "head" ? remote.head(word(1)) : remote.get(word(1), word(2));
    if (object) show(*object);
    return object ? 0 : 1;
  } else if (verb == "put") {
    Condition condition;
    if (words.size() > 3) condition = {Condition::Kind::unchanged, words[3]};
    if (word(3) == "absent") condition = {Condition::Kind::absent, ""};
    return remote.put(upload_of(word(1), word(2)), condition) ? 0 : 1;
  } else if (verb == "put-all") {
    std::vector<Upload> uploads;
    for (const auto& entry : fs::recursive_directory_iterator(word(1))) {
      if (!entry.is_regular_file()) continue;
      uploads.push_back(upload_of(fs::relative(entry.path(), word(1)).string(), entry.path().string()));
    }
    remote.put_many(uploads);
  } else if (verb == "get-all") {
    std::vector<Download> downloads;
    for (const StoredObject& object : remote.list(word(2))) {
      fs::create_directories((fs::path(word(1)) / object.key).parent_path());
      downloads.push_back({object.key, word(1) + "/" + object.key, object.size});
    }
    remote.get_many(downloads);
  } else if (verb == "remove") {
    remote.remove(std::span(words).subspan(1));
  } else if (verb == "public") {
    std::puts(remote.public_access().c_str());
  } else {
    fail(Exit::usage, "no verb '{}'", verb);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 2) return 2;
  std::string script;
  RemoteOptions options;
  options.timeout_seconds = std::atof(variable("TIMEOUT", "300").c_str());
  options.sse = variable("SSE", "");
  options.staging = variable("STAGING", "/tmp");
  if (!variable("SCRIPT", "").empty()) options.script = &script;
  try {
    const auto remote = open_remote(parse_destination(words[0]), options);
    const int status = act(*remote, {words.begin() + 1, words.end()});
    std::fputs(script.c_str(), stdout);
    return status;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.status());
  }
}
