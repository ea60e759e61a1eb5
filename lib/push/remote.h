#pragma once
// What a destination can do: the one interface between publishing, which knows no vendor, and the vendors' clients.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lepton {

// One object as its provider describes it. Hashes are lower-case hex, of the whole object, "" where not told.
struct StoredObject {
  std::string key;  // below the destination's prefix: "objects/sha256/ab/ab12..."
  int64_t size = 0;
  std::string md5, crc32c, sha256;
  std::string tag;       // names this state of the object in a Condition (ETag, generation); "" where not told
  int64_t modified = 0;  // seconds since 1970, by the provider's clock
};

struct Upload {
  std::string key, file;  // file: a local path without characters that a client would expand
  int64_t size = 0;
  std::string sha256, md5;  // hex
  std::string type;         // media type
};

struct Download {
  std::string key, file;  // file: a path of ours that does not exist yet
  int64_t size = 0;
};

// When a put may happen.
struct Condition {
  enum class Kind { always, absent, unchanged } kind = Kind::always;
  std::string tag;  // unchanged: only if the object is still in this state
};

// How every client is run, and what is asked of the provider.
struct RemoteOptions {
  double timeout_seconds = 600;   // for one client process
  int parallel = 4;               // client processes of one destination at once
  std::string sse;                // "kms:KEY": encryption at rest by the provider; "" = its default
  std::function<bool()> stop;     // as in ProcessOptions
  std::string staging;            // a folder of ours for links and downloads, without odd characters
  std::string links;              // one for links alone, in memory for speed; "" = staging
  std::string* script = nullptr;  // --dry-run: writing verbs append the commands they would run and succeed
};

// Errors: try_later for what may pass (network, throttling, a timeout, a 5xx answer); output or no_input (by verb) for
// denied access, credentials and a missing bucket; usage for a missing client or one too old. Messages name the
// destination and the object. Thread-safe: each call runs processes of its own.
class Remote {
 public:
  virtual ~Remote() = default;
  // One object into a file; nothing when there is none. The tag is of the bytes got, or "".
  virtual std::optional<StoredObject> get(const std::string& key, const std::string& file) = 0;
  // Many objects, with few processes where the client can. One missing is Error(integrity) naming it.
  virtual void get_many(std::span<const Download> downloads) = 0;
  // One object; false when the condition did not hold (another writer was faster).
  virtual bool put(const Upload& upload, const Condition& condition) = 0;
  // Many objects, with few processes where the client can; existing ones are replaced.
  virtual void put_many(std::span<const Upload> uploads) = 0;
  // All objects whose key begins with `prefix`, in one process, by key.
  virtual std::vector<StoredObject> list(const std::string& prefix) = 0;
  // One object, with every hash that the provider can tell; nothing when there is none.
  virtual std::optional<StoredObject> head(const std::string& key) = 0;
  virtual void remove(std::span<const std::string> keys) = 0;  // missing ones are no error
  // A sentence when the whole world may read the destination and the client can tell; else "". Never fails.
  virtual std::string public_access() { return ""; }
};

// A destination as the user wrote it: s3://bucket/prefix/, gs://bucket/prefix/, az://account/container/prefix/,
// file:///path/ or a path.
struct Destination {
  std::string text;             // as written
  std::string scheme;           // "s3", "gs", "az", "file"
  std::string account, bucket;  // bucket: or container
  std::string prefix;           // "" or "a/b/"; for file: the folder, with a slash at the end
};

bool names_destination(const std::string& text);         // begins with one of the schemes
Destination parse_destination(const std::string& text);  // Error(usage) says what is wrong
std::unique_ptr<Remote> open_remote(const Destination& destination, const RemoteOptions& options);

}  // namespace lepton
