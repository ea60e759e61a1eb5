#pragma once
// One destination as it stands: its pointers and manifests, read and believed only after they are checked.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "push/manifest.h"
#include "push/remote.h"
#include "push/seal.h"

namespace lepton {

// A release name's pointer and the manifest it points at.
struct Published {
  Pointer pointer;
  std::string text;  // of the pointer, as stored
  std::string tag;   // its state, for a Condition; "" where only a listing tells
  Manifest manifest;
  bool known = false;  // manifest.files is there: not encrypted, or opened

  const Release& current() const { return pointer.releases.front(); }
};

class Store {
 public:
  // text: the destination as written, for messages. folder: of ours, for what is fetched. script: as in RemoteOptions.
  Store(Remote& remote, std::string text, std::string folder, std::string* script = nullptr)
      : remote_(remote), text_(std::move(text)), folder_(std::move(folder)), script_(script) {}
  Remote& remote() { return remote_; }
  const std::string& folder() const { return folder_; }
  // A text to be put, as a file of ours; the script makes it too.
  void write_scratch(const std::string& file, const std::string& text);
  std::string name_of(const std::string& key) const { return text_ + (text_.ends_with('/') ? "" : "/") + key; }

  std::optional<Published> read_pointer(const std::string& release);
  // Pointer and manifest, in two calls. With allowed signers, only a manifest they signed. The files of an encrypted
  // one are read if an identity is given.
  std::optional<Published> read(const std::string& release, const SealOptions& seal);
  Published require(const std::string& release, const SealOptions& seal);  // Error(no_input) if there is none

  // Every pointer there is, by name; `listing` saves asking for it.
  std::vector<Pointer> read_pointers(const std::vector<StoredObject>& listing);
  std::vector<Manifest> read_manifests(const std::vector<std::string>& hashes);

  // A small text on a condition: false if another writer was faster. What is stored tells a put whose answer was lost,
  // and which a second try then finds done, from a lost race.
  bool put_text(const std::string& key, const std::string& text, const Condition& condition);
  // Puts the pointer in place of `before` (nothing: it must not exist yet). False if another writer was faster.
  bool replace_pointer(const std::optional<Published>& before, const Pointer& next,
                       const std::vector<StoredObject>* listing = nullptr);

 private:
  std::string scratch(const std::string& key) const;
  Manifest check_manifest(const std::string& file, const std::string& hash) const;

  Remote& remote_;
  std::string text_, folder_;
  std::string* script_;
};

}  // namespace lepton
