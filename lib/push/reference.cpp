#include "push/reference.h"

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "push/hashes.h"
#include "push/pull.h"
#include "push/retry.h"
#include "push/scratch.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;
constexpr int kRetries = 3;

// "s3://bucket/models/digits.h5@staging:test" taken apart.
struct Reference {
  std::string destination, artifact, release = "latest", rest;
};

Reference parse_reference(const std::string& operand) {
  Reference reference;
  const size_t slash = operand.rfind('/');
  reference.destination = operand.substr(0, slash + 1);
  std::string last = operand.substr(slash + 1);
  if (const size_t colon = last.find(':'); colon != std::string::npos) {
    reference.rest = last.substr(colon);
    last.resize(colon);
  }
  if (const size_t at = last.rfind('@'); at != std::string::npos) {
    reference.release = last.substr(at + 1);
    last.resize(at);
    if (!is_release_name(reference.release)) {
      fail(Exit::usage, "{}: '{}' is no name of a release", operand, reference.release);
    }
  }
  if (last.empty()) fail(Exit::usage, "{}: names no file; end it with one: {}model.h5", operand, reference.destination);
  reference.artifact = last;
  return reference;
}

fs::path cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache == '/') return fs::path(cache) / "lepton";
  const char* home = std::getenv("HOME");
  if (!home || !*home) fail(Exit::usage, "no HOME and no XDG_CACHE_HOME: where would the fetched file be kept?");
  return fs::path(home) / ".cache" / "lepton";
}

}  // namespace

std::string local_copy(const std::string& operand, const std::function<bool()>& stop) {
  if (!names_destination(operand)) return operand;
  const Reference reference = parse_reference(operand);
  const Destination destination = parse_destination(reference.destination);
  const ScratchFolder scratch;
  RemoteOptions options;
  options.stop = stop;
  options.staging = scratch.path() + "/staging";
  const std::unique_ptr<Remote> remote = with_retries(open_remote(destination, options), kRetries, stop);
  Store store(*remote, destination.text, scratch.path());
  PullOptions pulling;
  pulling.release = reference.release;
  pulling.only = reference.artifact;
  if (const char* file = std::getenv("LEPTON_IDENTITY")) pulling.seal.identities = {file};
  if (const char* file = std::getenv("LEPTON_ALLOWED_SIGNERS")) pulling.seal.allowed_signers = file;
  pulling.seal.stop = stop;
  constexpr size_t kDigits = 32;
  const std::string place = hash_text(reference.destination + "\n" + reference.release).sha256.substr(0, kDigits);
  const fs::path folder = cache_folder() / place;
  pull(store, folder.string(), pulling);
  return (folder / reference.artifact).string() + reference.rest;
}

}  // namespace lepton
