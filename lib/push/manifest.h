#pragma once
// What a destination holds, as JSON: a manifest names the files of one release, a pointer the releases of one name.
//
//   releases/NAME.json      the pointer: its releases, the current one first; the only object that is ever replaced
//   manifests/SHA256.json   a manifest, named by its own hash
//   objects/sha256/AB/SHA256  the bytes of files, or what age made of them
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lepton {

// Bytes at a destination.
struct ManifestObject {
  std::string sha256, md5;
  int64_t size = 0;
  bool operator==(const ManifestObject&) const = default;
};

struct ManifestFile {
  std::string name;  // "art/model.h5": relative, UTF-8, no "." or ".." in it
  int64_t size = 0;
  std::string sha256;          // of the file itself
  std::string object;          // SHA-256 of the object that holds it: the same, unless encrypted
  std::string type;            // media type
  std::string format;          // "lepton-model", "lepton-dataset" or ""
  std::string content_sha256;  // of a Lepton file
  bool operator==(const ManifestFile&) const = default;
};

struct Manifest {
  std::string release;                  // the name it was made for
  std::string time;                     // as given by the caller, or ""
  std::vector<ManifestObject> objects;  // by hash, each once
  std::vector<ManifestFile> files;      // by name; empty while sealed
  std::string recipients;               // encrypted: a hash of who can read it; known once unsealed
  std::string sealed;                   // encrypted: the files as JSON, encrypted by age; else ""

  bool encrypted() const { return !sealed.empty(); }
  const ManifestObject* find(const std::string& sha256) const;
};

// Deterministic: equal manifests give equal text.
std::string manifest_text(const Manifest& manifest);
// integrity (6): no such JSON, or names that would leave a folder; mismatch (7): a newer version. `name` is for
// messages.
Manifest parse_manifest(const std::string& text, const std::string& name);

// The files as they are sealed, and back into the manifest.
std::string files_text(const Manifest& manifest);
void parse_files(const std::string& text, const std::string& name, Manifest& manifest);

struct Release {
  std::string manifest;  // SHA-256 of the stored manifest
  std::string time;
  int64_t objects = 0, bytes = 0;
  bool encrypted = false;
  std::string signature;  // of the stored manifest by ssh-keygen -Y sign, or ""
  bool operator==(const Release&) const = default;
};

struct Pointer {
  std::string name;
  std::vector<Release> releases;  // the current one first
};

std::string pointer_text(const Pointer& pointer);
Pointer parse_pointer(const std::string& text, const std::string& name);  // errors as parse_manifest

std::string object_key(const std::string& sha256);
std::string manifest_key(const std::string& sha256);
std::string pointer_key(const std::string& release);

bool is_release_name(const std::string& name);    // 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with . or -
bool is_safe_file_name(const std::string& name);  // may be created below a folder
bool is_utf8(const std::string& text);

}  // namespace lepton
