#include "push/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/process.h"
#include "push/hashes.h"
#include "push/scratch.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

const StoredObject* find_key(const std::vector<StoredObject>& listing, const std::string& key) {
  const auto it = std::find_if(listing.begin(), listing.end(), [&](const StoredObject& o) { return o.key == key; });
  return it == listing.end() ? nullptr : &*it;
}

bool is_of_text(const StoredObject& object, const std::string& text) {
  if (object.size != std::ssize(text)) return false;
  if (!object.md5.empty()) return object.md5 == hash_text(text).md5;
  return object.crc32c.empty() || object.crc32c == crc32c_text(text);
}

}  // namespace

std::string Store::scratch(const std::string& key) const {
  std::string name = key;
  std::replace(name.begin(), name.end(), '/', '_');
  const std::string path = folder_ + "/got_" + name;
  fs::create_directories(folder_);
  fs::remove(path);
  return path;
}

void Store::write_scratch(const std::string& file, const std::string& text) {
  fs::create_directories(folder_);
  write_text_file(file, text);
  if (!script_) return;
  *script_ += shell_quoted({"mkdir", "-p", folder_}) + "\n" + shell_quoted({"printf", "%s", text}) + " > " +
              shell_quoted(file) + "\n";
}

std::optional<Published> Store::read_pointer(const std::string& release) {
  const std::string key = pointer_key(release), file = scratch(key);
  const std::optional<StoredObject> got = remote_.get(key, file);
  if (!got) return {};
  Published published;
  published.text = read_text_file(file);
  published.tag = got->tag;
  published.pointer = parse_pointer(published.text, name_of(key));
  if (published.pointer.name != release) {
    fail(Exit::integrity, "{}: is the pointer of '{}': damaged", name_of(key), published.pointer.name);
  }
  return published;
}

Manifest Store::check_manifest(const std::string& file, const std::string& hash) const {
  const std::string text = read_text_file(file), name = name_of(manifest_key(hash));
  if (hash_text(text).sha256 != hash) fail(Exit::integrity, "{}: its bytes do not have the hash it is named by", name);
  return parse_manifest(text, name);
}

std::optional<Published> Store::read(const std::string& release, const SealOptions& seal) {
  std::optional<Published> published = read_pointer(release);
  if (!published) return {};
  const Release& current = published->current();
  const std::string key = manifest_key(current.manifest), file = scratch(key), name = name_of(key);
  if (!remote_.get(key, file)) fail(Exit::integrity, "{}: is missing, though {} is released", name, release);
  published->manifest = check_manifest(file, current.manifest);
  if (!seal.allowed_signers.empty()) verify_signature(seal, file, current.signature, name);
  Manifest& manifest = published->manifest;
  if (manifest.release != release) {
    fail(Exit::integrity, "{}: was made for '{}', not for '{}'", name, manifest.release, release);
  }
  published->known = !manifest.encrypted();
  if (manifest.encrypted() && !seal.identities.empty()) {
    parse_files(decrypt_text(seal, manifest.sealed, name), name, manifest);
    published->known = true;
  }
  return published;
}

Published Store::require(const std::string& release, const SealOptions& seal) {
  std::optional<Published> published = read(release, seal);
  if (!published) fail(Exit::no_input, "{}: nothing is published under the name '{}'", text_, release);
  return std::move(*published);
}

std::vector<Pointer> Store::read_pointers(const std::vector<StoredObject>& listing) {
  std::vector<Download> downloads;
  for (const StoredObject& object : listing) {
    const bool pointer = object.key.starts_with("releases/") && object.key.ends_with(".json");
    if (pointer) downloads.push_back({object.key, scratch(object.key), object.size});
  }
  if (!downloads.empty()) remote_.get_many(downloads);
  std::vector<Pointer> pointers;
  pointers.reserve(downloads.size());
  for (const Download& d : downloads) pointers.push_back(parse_pointer(read_text_file(d.file), name_of(d.key)));
  return pointers;
}

std::vector<Manifest> Store::read_manifests(const std::vector<std::string>& hashes) {
  std::vector<Download> downloads;
  downloads.reserve(hashes.size());
  for (const std::string& hash : hashes) downloads.push_back({manifest_key(hash), scratch(manifest_key(hash)), 0});
  if (!downloads.empty()) remote_.get_many(downloads);
  std::vector<Manifest> manifests;
  manifests.reserve(hashes.size());
  for (size_t i = 0; i < hashes.size(); ++i) manifests.push_back(check_manifest(downloads[i].file, hashes[i]));
  return manifests;
}

bool Store::put_text(const std::string& key, const std::string& text, const Condition& condition) {
  const std::string file = scratch(key + ".next");
  write_scratch(file, text);
  const FileHashes hashes = hash_text(text);
  std::exception_ptr doubt;
  try {
    if (remote_.put({key, file, hashes.size, hashes.sha256, hashes.md5, "application/json"}, condition)) return true;
  } catch (const Error& error) {
    if (error.status() != Exit::try_later) throw;
    doubt = std::current_exception();
  }
  const std::string back = scratch(key);
  if (remote_.get(key, back) && read_text_file(back) == text) return true;
  if (doubt) std::rethrow_exception(doubt);
  return false;
}

bool Store::replace_pointer(const std::optional<Published>& before, const Pointer& next,
                            const std::vector<StoredObject>* listing) {
  const std::string key = pointer_key(next.name), text = pointer_text(next);
  if (!before) return put_text(key, text, {Condition::Kind::absent, ""});
  std::string tag = before->tag;
  if (tag.empty()) {
    std::vector<StoredObject> own;
    if (!listing) own = remote_.list("releases/");
    const StoredObject* object = find_key(listing ? *listing : own, key);
    if (!object || object->tag.empty() || !is_of_text(*object, before->text)) return false;
    tag = object->tag;
  }
  return put_text(key, text, {Condition::Kind::unchanged, tag});
}

}  // namespace lepton
