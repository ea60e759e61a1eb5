#pragma once
// What the remotes that drive a vendor's client share: running it, telling failures apart, batches.
#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/process.h"
#include "push/remote.h"
#include "push/vendors.h"

namespace lepton {

// Why a client failed. none, no_object and not_met (a condition) are answers; the others become an Error.
enum class Cause {
  none,
  no_object,
  not_met,
  no_bucket,
  denied,
  credentials,
  too_old,
  damaged,
  disk_full,
  later,
  unknown
};

struct CauseRow {
  std::string text;  // stands in what the client printed on standard error
  Cause cause;
};

struct ClientTraits {
  std::string name;                                              // "aws"
  std::string install;                                           // "pip install awscli"
  std::string log_in;                                            // "aws configure"
  std::string make_bucket;                                       // "aws s3 mb s3://BUCKET"
  std::vector<std::pair<std::string, std::string>> environment;  // when we run it
  std::vector<std::string> prefix;                               // in a script: {"env", "A=b"}, where needed
  std::vector<CauseRow> causes;  // the first that fits counts; the ones of networks in general come after them
};

enum class Verb { read, write };

class Client {
 public:
  Client(Destination destination, RemoteOptions options, ClientTraits traits);

  struct Answer {
    Cause cause = Cause::none;  // or no_object or not_met
    std::string out;
  };
  // Runs argv; `key` is the object it is about, "" for the whole destination.
  Answer run(Verb verb, const std::vector<std::string>& argv, const std::string& key,
             const std::string& input = "") const;
  // The same, where no_object is a failure like others.
  std::string must(Verb verb, const std::vector<std::string>& argv, const std::string& key,
                   const std::string& input = "") const;
  // A question whose answer may be had or not: no error, a short deadline.
  std::string ask(const std::vector<std::string>& argv) const;

  bool scripting() const { return options_.script != nullptr; }
  std::string script_text(const std::vector<std::string>& argv) const;  // a command of the client, as a line
  void script(const std::vector<std::string>& argv) { script_line(script_text(argv)); }
  void script_line(const std::string& line);
  Cause cause_of(const std::string& err) const;
  [[noreturn]] void raise(Verb verb, Cause cause, const std::string& key, const std::string& what) const;
  const Destination& destination() const { return destination_; }
  const RemoteOptions& options() const { return options_; }

 private:
  Destination destination_;
  RemoteOptions options_;
  ClientTraits traits_;
  std::mutex mutex_;
};

// A folder of links to uploads, or for downloads, below RemoteOptions.staging; gone with this.
class Staging {
 public:
  enum class Use { uploads, downloads };  // for uploads a script makes and removes it
  Staging(Client& client, Use use);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();
  const std::string& path() const { return path_; }
  void link(std::span<const Upload> uploads, const std::string& below);  // as path()/below + key

 private:
  Client& client_;
  bool scripted_;
  std::string path_;
};

// The part of a remote that is the same for all clients.
class ClientRemote : public Remote {
 public:
  void get_many(std::span<const Download> downloads) override;
  void put_many(std::span<const Upload> uploads) override;

 protected:
  ClientRemote(Destination destination, RemoteOptions options, ClientTraits traits, int64_t single_from)
      : client_(std::move(destination), std::move(options), std::move(traits)), single_from_(single_from) {}

  // Many files of less than single_from bytes in one process.
  virtual void put_batch(std::span<const Upload> uploads) = 0;
  // As many of the objects as can be had by one process, below folder; says where each lies if it came. Those that did
  // not come are fetched one by one.
  virtual std::vector<std::string> get_batch(std::span<const Download> downloads, const std::string& folder) = 0;

  std::string key_of(const std::string& key) const { return full_key(client_.destination(), key); }
  const std::string& bucket() const { return client_.destination().bucket; }
  const std::string& prefix() const { return client_.destination().prefix; }
  std::string key_below(const std::string& full) const { return full.substr(std::min(prefix().size(), full.size())); }

  // What `read` makes of the JSON that a client printed, `empty` where it printed nothing.
  template <class Read>
  auto from_json(const std::string& text, const std::string& key, Read read, const char* empty = "null") const {
    try {
      return read(nlohmann::json::parse(text.empty() ? empty : text));
    } catch (const nlohmann::json::exception&) {
      client_.raise(Verb::read, Cause::unknown, key, "its answer was not understood");
    }
  }

  // An upload as it is done, or written down; false when its condition did not hold.
  bool write(const std::vector<std::string>& argv, const std::string& key, const Condition& condition);

  mutable Client client_;

 private:
  int64_t single_from_;
};

// As a pattern of the shell's kind that means just itself.
std::string as_pattern(const std::string& key);

// "kms:KEY" -> KEY; "" for none. Error(usage).
std::string sse_key(const RemoteOptions& options);

}  // namespace lepton
