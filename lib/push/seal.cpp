#include "push/seal.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "io/files.h"
#include "io/process.h"
#include "push/scratch.h"

namespace lepton {
namespace {

constexpr double kKeySeconds = 60;      // a passphrase cannot be asked for: what waits for one is ended
constexpr double kFileSeconds = 86400;  // encrypting is bound by the disk, not by us

ProcessResult run_tool(const SealOptions& options, const std::vector<std::string>& argv, double seconds,
                       const std::string& input = {}) {
  ProcessResult result;
  try {
    result = run_process(argv, {.environment = {{"SSH_ASKPASS_REQUIRE", "never"}},
                                .input = input,
                                .timeout_seconds = seconds,
                                .stop = options.stop});
  } catch (const Error&) {
    fail(Exit::usage, "no {} in PATH: install the package {}", argv[0], argv[0] == "age" ? "age" : "openssh-client");
  }
  if (result.stopped) fail(Exit::try_later, "{}: stopped", argv[0]);
  if (result.timed_out)
    fail(Exit::usage, "{}: waited {} s, for a passphrase? Use a key without one, or an agent", argv[0], seconds);
  return result;
}

std::string last_line(const std::string& text) {
  for (std::vector<std::string> lines = split(text, '\n'); !lines.empty(); lines.pop_back()) {
    if (!trim(lines.back()).empty()) return trim(lines.back());
  }
  return "no message";
}

// What age says first is the reason; its later lines ask for bug reports.
std::string first_line(const std::string& text) {
  const std::string line = trim(text.substr(0, text.find('\n')));
  return line.empty() ? "no message" : line;
}

std::vector<std::string> encrypt_command(const SealOptions& options) {
  std::vector<std::string> argv = {"age", "--encrypt"};
  for (const std::string& r : options.recipients) argv.insert(argv.end(), {"--recipient", r});
  for (const std::string& f : options.recipient_files) argv.insert(argv.end(), {"--recipients-file", f});
  return argv;
}

std::vector<std::string> decrypt_command(const SealOptions& options, const std::string& name) {
  if (options.identities.empty()) {
    fail(Exit::usage, "{}: is encrypted; give the secret key with --identity FILE", name);
  }
  std::vector<std::string> argv = {"age", "--decrypt"};
  for (const std::string& f : options.identities) argv.insert(argv.end(), {"--identity", f});
  return argv;
}

}  // namespace

std::string recipients_digest(const SealOptions& options) {
  if (!options.encrypts()) return {};
  std::vector<std::string> all = options.recipients;
  for (const std::string& path : options.recipient_files) {
    const std::vector<uint8_t> bytes = read_file(path);
    for (const std::string& line : split(std::string(bytes.begin(), bytes.end()), '\n')) {
      const std::string key = trim(line);
      if (!key.empty() && key[0] != '#') all.push_back(key);
    }
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::string text;
  for (const std::string& key : all) text += key + "\n";
  return hash_text(text).sha256;
}

void encrypt_file(const SealOptions& options, const std::string& from, const std::string& to) {
  std::vector<std::string> argv = encrypt_command(options);
  argv.insert(argv.end(), {"--output", to, "--", from});
  const ProcessResult result = run_tool(options, argv, kFileSeconds);
  if (result.status != 0) fail(Exit::usage, "{}: not encrypted: {}", from, first_line(result.err));
}

std::string encrypt_text(const SealOptions& options, const std::string& text) {
  std::vector<std::string> argv = encrypt_command(options);
  argv.emplace_back("--armor");
  const ProcessResult result = run_tool(options, argv, kFileSeconds, text);
  if (result.status != 0) fail(Exit::usage, "the manifest is not encrypted: {}", first_line(result.err));
  return result.out;
}

void decrypt_file(const SealOptions& options, const std::string& from, const std::string& to, const std::string& name) {
  std::vector<std::string> argv = decrypt_command(options, name);
  argv.insert(argv.end(), {"--output", to, "--", from});
  const ProcessResult result = run_tool(options, argv, kFileSeconds);
  if (result.status != 0) fail(Exit::integrity, "{}: not decrypted: {}", name, first_line(result.err));
}

std::string decrypt_text(const SealOptions& options, const std::string& armoured, const std::string& name) {
  const ProcessResult result = run_tool(options, decrypt_command(options, name), kFileSeconds, armoured);
  if (result.status != 0) fail(Exit::integrity, "{}: not decrypted: {}", name, first_line(result.err));
  return result.out;
}

std::string sign_file(const SealOptions& options, const std::string& file) {
  const std::string made = file + ".sig";
  std::filesystem::remove(made);
  const ProcessResult result = run_tool(
      options, {"ssh-keygen", "-Y", "sign", "-f", options.sign_key, "-n", kSignatureNamespace, file}, kKeySeconds);
  if (result.status != 0) fail(Exit::usage, "--sign {}: not signed: {}", options.sign_key, last_line(result.err));
  return read_text_file(made);
}

void verify_signature(const SealOptions& options, const std::string& file, const std::string& signature,
                      const std::string& name) {
  if (signature.empty()) fail(Exit::integrity, "{}: is not signed; --allowed-signers demands it", name);
  const std::string& signers = options.allowed_signers;
  if (!std::filesystem::exists(signers)) fail(Exit::no_input, "--allowed-signers {}: no such file", signers);
  const std::string aside = file + ".sig";
  write_text_file(aside, signature);
  const ProcessResult who =
      run_tool(options, {"ssh-keygen", "-Y", "find-principals", "-s", aside, "-f", signers}, kKeySeconds);
  const std::string principal = trim(who.out.substr(0, who.out.find('\n')));
  if (who.status != 0 || principal.empty()) {
    fail(Exit::integrity, "{}: is signed by nobody in {}", name, signers);
  }
  const ProcessResult result = run_tool(
      options, {"ssh-keygen", "-Y", "verify", "-f", signers, "-I", principal, "-n", kSignatureNamespace, "-s", aside},
      kKeySeconds, read_text_file(file));
  if (result.status != 0)
    fail(Exit::integrity, "{}: its signature is wrong: {}", name, last_line(result.out + result.err));
}

Sealer::Sealer(SealOptions options, std::string folder)
    : options_(std::move(options)), folder_(std::move(folder)), recipients_(recipients_digest(options_)) {}

const Sealer::Sealed& Sealer::seal(const std::string& path, const std::string& sha256) {
  const std::lock_guard hold(lock_);
  const auto it = sealed_.find(sha256);
  if (it != sealed_.end()) return it->second;
  std::filesystem::create_directories(folder_);
  const std::string to = folder_ + "/" + sha256;
  std::filesystem::remove(to);
  encrypt_file(options_, path, to);
  return sealed_.emplace(sha256, Sealed{to, hash_file(to)}).first->second;
}

}  // namespace lepton
