#pragma once
// Privacy and origin: encryption by the age command, signatures by ssh-keygen -Y.
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "push/hashes.h"

namespace lepton {

struct SealOptions {
  std::vector<std::string> recipients;       // age or SSH public keys
  std::vector<std::string> recipient_files;  // files of them, one a line
  std::vector<std::string> identities;       // files of secret keys
  std::string sign_key;                      // file of an SSH key
  std::string allowed_signers;               // as in ssh-keygen(1)
  std::function<bool()> stop;

  bool encrypts() const { return !recipients.empty() || !recipient_files.empty(); }
};

constexpr const char* kSignatureNamespace = "lepton";

// A hash of who can read what is encrypted, in any order. Error(no_input) for a recipients file that cannot be read.
std::string recipients_digest(const SealOptions& options);

// Errors: usage for a missing command or a key it does not take; integrity for what no identity opens.
void encrypt_file(const SealOptions& options, const std::string& from, const std::string& to);
std::string encrypt_text(const SealOptions& options, const std::string& text);  // armoured
void decrypt_file(const SealOptions& options, const std::string& from, const std::string& to, const std::string& name);
std::string decrypt_text(const SealOptions& options, const std::string& armoured, const std::string& name);

// A signature of the file's bytes; scratch is a path for temporary files.
std::string sign_file(const SealOptions& options, const std::string& file);
// integrity (6) unless the signature is one of the file's bytes by an allowed signer.
void verify_signature(const SealOptions& options, const std::string& file, const std::string& signature,
                      const std::string& name);

// Encrypts each content once a run, whichever destinations want it. Thread-safe.
class Sealer {
 public:
  struct Sealed {
    std::string path;
    FileHashes hashes;
  };
  // folder: of ours, where the encrypted files go.
  Sealer(SealOptions options, std::string folder);
  const SealOptions& options() const { return options_; }
  const std::string& recipients() const { return recipients_; }  // the digest, "" without encryption
  const Sealed& seal(const std::string& path, const std::string& sha256);

 private:
  SealOptions options_;
  std::string folder_, recipients_;
  std::mutex lock_;
  std::map<std::string, Sealed> sealed_;  // by SHA-256 of the content
};

}  // namespace lepton
