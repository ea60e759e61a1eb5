#include "push/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"

namespace lepton {
namespace {

using nlohmann::json;
constexpr int64_t kVersion = 1;
constexpr int64_t kMostBytes = int64_t{1} << 53;  // beyond it JSON readers round
constexpr const char* kManifest = "lepton-manifest";
constexpr const char* kRelease = "lepton-release";

bool is_hex(const std::string& text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// A stranger's JSON: everything asked of it is checked, and what is wrong is said with its place.
class Reader {
 public:
  Reader(const json& value, std::string where) : value_(value), where_(std::move(where)) {
    if (!value_.is_object()) refuse("is no JSON object");
  }
  [[noreturn]] void refuse(const std::string& what) const {
    fail(Exit::integrity, "{}: {}: damaged, or not written by lepton-push", where_, what);
  }
  std::string text(const char* key, bool needed = true) const {
    const auto it = value_.find(key);
    if (it == value_.end() && !needed) return {};
    if (it == value_.end() || !it->is_string()) refuse(std::string(key) + " is missing");
    return it->get<std::string>();
  }
  std::string hash(const char* key, size_t digits = 64) const {
    std::string value = text(key);
    if (!is_hex(value, digits)) refuse(std::string(key) + " is no hash");
    return value;
  }
  int64_t number(const char* key) const {
    const auto it = value_.find(key);
    if (it == value_.end() || !it->is_number_unsigned() || it->get<uint64_t>() > uint64_t{kMostBytes}) {
      refuse(std::string(key) + " is no size");
    }
    return it->get<int64_t>();
  }
  bool flag(const char* key) const {
    const auto it = value_.find(key);
    return it != value_.end() && it->is_boolean() && it->get<bool>();
  }
  const json& list(const char* key) const {
    const auto it = value_.find(key);
    if (it == value_.end() || !it->is_array()) refuse(std::string(key) + " is missing");
    return *it;
  }
  void check_format(const char* format) const {
    if (text("format", false) != format) refuse(std::string("is no ") + format);
    if (const int64_t version = number("version"); version != kVersion) {
      fail(Exit::mismatch, "{}: is version {}; this lepton-push reads version {}: use a newer one", where_, version,
           kVersion);
    }
  }

 private:
  const json& value_;
  std::string where_;
};

json parse(const std::string& text, const std::string& name) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) fail(Exit::integrity, "{}: is no JSON: damaged, or not written by lepton-push", name);
  return value;
}

json file_json(const ManifestFile& file) {
  json out = {{"name", file.name}, {"size", file.size}, {"sha256", file.sha256}, {"type", file.type}};
  if (file.object != file.sha256) out["object"] = file.object;
  if (!file.format.empty()) out["lepton"] = {{"format", file.format}, {"content_sha256", file.content_sha256}};
  return out;
}

ManifestFile read_file_entry(const json& value, const std::string& name) {
  const Reader in(value, name);
  ManifestFile file;
  file.name = in.text("name");
  if (!is_safe_file_name(file.name)) in.refuse("a file is named '" + escape_tsv(file.name) + "'");
  file.size = in.number("size");
  file.sha256 = in.hash("sha256");
  file.object = value.contains("object") ? in.hash("object") : file.sha256;
  file.type = in.text("type", false);
  if (const auto lepton = value.find("lepton"); lepton != value.end()) {
    const Reader inner(*lepton, name);
    file.format = inner.text("format");
    file.content_sha256 = inner.text("content_sha256");
  }
  return file;
}

// Names once each, in order, every one with an object that holds it.
void read_files(const json& list, const std::string& name, Manifest& manifest) {
  manifest.files.clear();
  for (const json& value : list) {
    ManifestFile file = read_file_entry(value, name);
    const ManifestObject* object = manifest.find(file.object);
    const bool plain = file.object == file.sha256;
    if (!object || (plain && object->size != file.size)) {
      fail(Exit::integrity, "{}: '{}' has no object: damaged", name, escape_tsv(file.name));
    }
    if (!manifest.files.empty() && !(manifest.files.back().name < file.name)) {
      fail(Exit::integrity, "{}: '{}' is out of order: damaged", name, escape_tsv(file.name));
    }
    manifest.files.push_back(std::move(file));
  }
}

}  // namespace

const ManifestObject* Manifest::find(const std::string& sha256) const {
  const auto it = std::lower_bound(objects.begin(), objects.end(), sha256,
                                   [](const ManifestObject& o, const std::string& hash) { return o.sha256 < hash; });
  return it != objects.end() && it->sha256 == sha256 ? &*it : nullptr;
}

std::string manifest_text(const Manifest& manifest) {
  json out = {{"format", kManifest}, {"version", kVersion}, {"release", manifest.release}};
  if (!manifest.time.empty()) out["time"] = manifest.time;
  json& objects = out["objects"] = json::array();
  for (const ManifestObject& o : manifest.objects) {
    objects.push_back({{"sha256", o.sha256}, {"md5", o.md5}, {"size", o.size}});
  }
  if (manifest.encrypted()) {
    out["sealed"] = manifest.sealed;
  } else {
    json& files = out["files"] = json::array();
    for (const ManifestFile& f : manifest.files) files.push_back(file_json(f));
  }
  return out.dump(1) + "\n";
}

Manifest parse_manifest(const std::string& text, const std::string& name) {
  const json value = parse(text, name);
  const Reader in(value, name);
  in.check_format(kManifest);
  Manifest manifest;
  manifest.release = in.text("release");
  manifest.time = in.text("time", false);
  for (const json& entry : in.list("objects")) {
    const Reader object(entry, name);
    manifest.objects.push_back({object.hash("sha256"), object.hash("md5", 32), object.number("size")});
    const size_t n = manifest.objects.size();
    if (n > 1 && !(manifest.objects[n - 2].sha256 < manifest.objects[n - 1].sha256)) {
      in.refuse("objects are out of order");
    }
  }
  manifest.sealed = in.text("sealed", false);
  if (!manifest.encrypted()) read_files(in.list("files"), name, manifest);
  return manifest;
}

std::string files_text(const Manifest& manifest) {
  json out = {{"recipients", manifest.recipients}};
  json& files = out["files"] = json::array();
  for (const ManifestFile& f : manifest.files) files.push_back(file_json(f));
  return out.dump(1) + "\n";
}

void parse_files(const std::string& text, const std::string& name, Manifest& manifest) {
  const json value = parse(text, name);
  const Reader in(value, name);
  manifest.recipients = in.text("recipients");
  read_files(in.list("files"), name, manifest);
}

std::string pointer_text(const Pointer& pointer) {
  json out = {{"format", kRelease}, {"version", kVersion}, {"name", pointer.name}};
  json& releases = out["releases"] = json::array();
  for (const Release& r : pointer.releases) {
    json entry = {{"manifest", r.manifest}, {"objects", r.objects}, {"bytes", r.bytes}};
    if (!r.time.empty()) entry["time"] = r.time;
    if (r.encrypted) entry["encrypted"] = true;
    if (!r.signature.empty()) entry["signature"] = r.signature;
    releases.push_back(std::move(entry));
  }
  return out.dump(1) + "\n";
}

Pointer parse_pointer(const std::string& text, const std::string& name) {
  const json value = parse(text, name);
  const Reader in(value, name);
  in.check_format(kRelease);
  Pointer pointer{in.text("name"), {}};
  for (const json& entry : in.list("releases")) {
    const Reader r(entry, name);
    pointer.releases.push_back({r.hash("manifest"), r.text("time", false), r.number("objects"), r.number("bytes"),
                                r.flag("encrypted"), r.text("signature", false)});
  }
  if (pointer.releases.empty()) in.refuse("names no release");
  return pointer;
}

std::string object_key(const std::string& sha256) { return "objects/sha256/" + sha256.substr(0, 2) + "/" + sha256; }
std::string manifest_key(const std::string& sha256) { return "manifests/" + sha256 + ".json"; }
std::string pointer_key(const std::string& release) { return "releases/" + release + ".json"; }

bool is_release_name(const std::string& name) {
  constexpr size_t kLongest = 64;
  return !name.empty() && name.size() <= kLongest && name[0] != '.' && name[0] != '-' &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
             std::string::npos;
}

bool is_safe_file_name(const std::string& name) {
  if (name.empty() || name.find('\0') != std::string::npos || !is_utf8(name)) return false;
  const std::vector<std::string> parts = split(name, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
}

bool is_utf8(const std::string& text) {
  try {
    json(text).dump();
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

}  // namespace lepton
