#include "push/client.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "push/answers.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

constexpr double kShortTimeout = 15;

// What networks and overloaded servers say, through any client.
constexpr const char* kLater[] = {"Could not connect",
                                  "Connection refused",
                                  "Connection reset",
                                  "Connection aborted",
                                  "ConnectionError",
                                  "Connection was closed",
                                  "Connection broken",
                                  "Max retries exceeded",
                                  "timed out",
                                  "Timeout",
                                  "timeout",
                                  "Temporary failure in",
                                  "Name or service not known",
                                  "NameResolutionError",
                                  "Failed to resolve",
                                  "Broken pipe",
                                  "IncompleteRead",
                                  "EOF occurred",
                                  "RemoteDisconnected",
                                  "SlowDown",
                                  "Throttl",
                                  "TooManyRequests",
                                  "Too Many Requests",
                                  "Reduce your request rate",
                                  "InternalError",
                                  "ServiceUnavailable",
                                  "Service Unavailable",
                                  "ServerBusy",
                                  "OperationTimedOut",
                                  "OperationAborted",
                                  "ConditionalRequestConflict",
                                  "Bad Gateway",
                                  "(429)",
                                  "(500)",
                                  "(502)",
                                  "(503)",
                                  "(504)",
                                  "HTTPError 429",
                                  "HTTPError 5",
                                  "Network is unreachable",
                                  "No route to host",
                                  "Internal Server Error"};

std::string seconds_text(double seconds) { return fmt::format("{:g} s", seconds); }

}  // namespace

Client::Client(Destination destination, RemoteOptions options, ClientTraits traits)
    : destination_(std::move(destination)), options_(std::move(options)), traits_(std::move(traits)) {}

Cause Client::cause_of(const std::string& err) const {
  for (const CauseRow& row : traits_.causes) {
    if (err.find(row.text) != std::string::npos) return row.cause;
  }
  if (err.find("No space left on device") != std::string::npos) return Cause::disk_full;
  for (const char* text : kLater) {
    if (err.find(text) != std::string::npos) return Cause::later;
  }
  return Cause::unknown;
}

Client::Answer Client::run(Verb verb, const std::vector<std::string>& argv, const std::string& key,
                           const std::string& input) const {
  ProcessOptions process;
  process.environment = traits_.environment;
  process.input = input;
  process.timeout_seconds = options_.timeout_seconds;
  process.stop = options_.stop;
  ProcessResult result;
  try {
    result = run_process(argv, process);
  } catch (const Error& error) {
    if (error.status() != Exit::usage) throw;
    fail(Exit::usage, "{}: {}, which it needs: {}", destination_.text, error.what(), traits_.install);
  }
  if (result.stopped) fail(Exit::failed, "{}: stopped", object_text(destination_, key));
  if (result.timed_out) {
    fail(Exit::try_later, "{}: {} was not done after {} and was ended; a longer --timeout may help",
         object_text(destination_, key), traits_.name, seconds_text(options_.timeout_seconds));
  }
  if (result.status == 0) return {Cause::none, std::move(result.out)};
  if (result.status > 128 && result.status <= 128 + 64) {
    fail(Exit::try_later, "{}: {} was ended by signal {}", object_text(destination_, key), traits_.name,
         result.status - 128);
  }
  const Cause cause = cause_of(result.err);
  if (cause == Cause::no_object || cause == Cause::not_met) return {cause, std::move(result.out)};
  const std::string said = complaint(result.err);
  raise(verb, cause, key,
        said.empty() ? fmt::format("{} ended with status {}", traits_.name, result.status)
                     : fmt::format("{} said: {}", traits_.name, said));
}

std::string Client::must(Verb verb, const std::vector<std::string>& argv, const std::string& key,
                         const std::string& input) const {
  Answer answer = run(verb, argv, key, input);
  if (answer.cause != Cause::none) raise(verb, answer.cause, key, traits_.name + " found it missing or changed");
  return std::move(answer.out);
}

std::string Client::ask(const std::vector<std::string>& argv) const {
  ProcessOptions process;
  process.environment = traits_.environment;
  process.timeout_seconds = std::min(kShortTimeout, options_.timeout_seconds);
  process.stop = options_.stop;
  try {
    const ProcessResult result = run_process(argv, process);
    return result.status == 0 ? result.out : "";
  } catch (const Error&) {
    return "";
  }
}

void Client::raise(Verb verb, Cause cause, const std::string& key, const std::string& what) const {
  const Exit status = verb == Verb::write ? Exit::output : Exit::no_input;
  const std::string where = object_text(destination_, key);
  switch (cause) {
    case Cause::denied:
      fail(status, "{}: access denied ({}); these credentials may not {} there", where, what,
           verb == Verb::write ? "write" : "read");
    case Cause::credentials:
      fail(status, "{}: no valid credentials ({}); log in with: {}", where, what, traits_.log_in);
    case Cause::no_bucket:
      fail(status, "{}: there is no such bucket ({}); make it with: {}", where, what, traits_.make_bucket);
    case Cause::no_object:
      fail(status, "{}: is missing ({})", where, what);
    case Cause::too_old:
      fail(Exit::usage, "{}: this {} is too old ({}); install a recent one: {}", where, traits_.name, what,
           traits_.install);
    case Cause::damaged:
      fail(Exit::integrity, "{}: did not arrive as it was sent ({}); push again", where, what);
    case Cause::disk_full:
      fail(Exit::output, "{}: no space left for it on this machine ({})", where, what);
    case Cause::later:
      fail(Exit::try_later, "{}: cannot be reached now ({}); try again later", where, what);
    default:
      fail(status, "{}: failed ({})", where, what);
  }
}

std::string Client::script_text(const std::vector<std::string>& argv) const {
  std::vector<std::string> words = traits_.prefix;
  words.insert(words.end(), argv.begin(), argv.end());
  return shell_quoted(words);
}

void Client::script_line(const std::string& line) {
  const std::lock_guard<std::mutex> hold(mutex_);
  *options_.script += line + "\n";
}

Staging::Staging(Client& client, Use use) : client_(client), scripted_(use == Use::uploads && client.scripting()) {
  static std::atomic<int> number{0};
  const RemoteOptions& options = client.options();
  const std::string& below = use == Use::uploads && !options.links.empty() ? options.links : options.staging;
  const std::string name = fmt::format("{}/batch-{}-{}", below, ::getpid(), ++number);
  path_ = fs::absolute(name).string();
  if (scripted_) return;
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) fail(Exit::output, "{}: cannot be made: {}", path_, error.message());
}

Staging::~Staging() {
  if (scripted_) {
    client_.script_line(shell_quoted({"rm", "-r", "--", path_}));
    return;
  }
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void Staging::link(std::span<const Upload> uploads, const std::string& below) {
  std::set<std::string> folders;
  for (const Upload& upload : uploads) {
    const fs::path link = path_ + "/" + below + full_key({client_.destination().text, "", "", "", ""}, upload.key);
    const std::string folder = link.parent_path().string(), file = fs::absolute(upload.file).string();
    const bool fresh = folders.insert(folder).second;
    if (scripted_) {
      if (fresh) client_.script_line(shell_quoted({"mkdir", "-p", "--", folder}));
      client_.script_line(shell_quoted({"ln", "-s", "--", file, link.string()}));
      continue;
    }
    std::error_code error;
    if (fresh) fs::create_directories(folder, error);
    if (!error) fs::create_symlink(file, link, error);
    if (error) fail(Exit::output, "{}: cannot be made: {}", link.string(), error.message());
  }
}

std::string as_pattern(const std::string& key) {
  std::string pattern;
  for (const char c : key) {
    const bool special = c == '*' || c == '?' || c == '[';
    pattern += special ? std::string("[") + c + "]" : std::string(1, c);
  }
  return pattern;
}

std::string sse_key(const RemoteOptions& options) {
  if (options.sse.empty()) return "";
  if (!options.sse.starts_with("kms:") || options.sse.size() == 4) {
    fail(Exit::usage, "--sse {}: expected kms:KEY, the key's name at the provider", options.sse);
  }
  return options.sse.substr(4);
}

}  // namespace lepton
