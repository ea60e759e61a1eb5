#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "push/remote.h"
#include "push/vendors.h"

namespace lepton {
namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz0123456789";

struct Scheme {
  std::string_view name, example;
  std::unique_ptr<Remote> (*open)(const Destination&, const RemoteOptions&);
  bool has_account;
  std::string_view bucket_word, bucket_marks;  // what a bucket's name may hold beside lower-case letters and digits
  std::string_view refused;                    // in the prefix
};

// Loose on names, so that a typo is told at once; the provider knows the rest.
constexpr std::array kSchemes{
    Scheme{"s3", "s3://bucket/models/", open_s3, false, "bucket", ".-_", ""},
    Scheme{"gs", "gs://bucket/models/", open_gcs, false, "bucket", ".-_", "*?[]#"},
    Scheme{"az", "az://account/container/models/", open_azure, true, "container", "-", "\\"},
    Scheme{"file", "file:///srv/models/", open_directory, false, "", "", ""},
};

const Scheme* scheme_of(const std::string& text) {
  const size_t end = text.find("://");
  if (end == std::string::npos) return nullptr;
  for (const Scheme& scheme : kSchemes) {
    if (std::string_view(text).substr(0, end) == scheme.name) return &scheme;
  }
  return nullptr;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

[[noreturn]] void refuse(const std::string& text, const Scheme& scheme, const std::string& what) {
  fail(Exit::usage, "{}: {}; for example {}", text, what, scheme.example);
}

void check_name(const std::string& text, const Scheme& scheme, std::string_view word, const std::string& name,
                std::string_view marks) {
  if (name.empty()) refuse(text, scheme, fmt::format("names no {}", word));
  const bool plain = std::all_of(name.begin(), name.end(), [&](char c) {
    return kLower.find(c) != std::string_view::npos || marks.find(c) != std::string_view::npos;
  });
  if (!plain || name.size() < 3 || name.size() > 222 || kLower.find(name.front()) == std::string_view::npos) {
    refuse(text, scheme, fmt::format("'{}' cannot be the name of a {}", name, word));
  }
}

// "a//b" -> "a/b/"; what would lead out of the prefix is refused.
std::string normal_prefix(const std::string& text, const Scheme& scheme, std::span<const std::string> parts) {
  std::string prefix;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (part == "." || part == "..") refuse(text, scheme, fmt::format("a prefix cannot have '{}' in it", part));
    const size_t odd = part.find_first_of(scheme.refused);
    if (odd != std::string::npos) {
      refuse(text, scheme, fmt::format("its client would not take '{}' in a prefix as it stands", part[odd]));
    }
    prefix += part + "/";
  }
  return prefix;
}

Destination folder(const std::string& text, std::string path) {
  if (!path.ends_with('/')) path += '/';
  return {text, "file", "", "", path};
}

}  // namespace

bool is_own_leftover(const std::string& name) {
  return name.starts_with('.') && name.find(".lepton-") != std::string::npos;
}

bool names_destination(const std::string& text) { return scheme_of(text) != nullptr; }

Destination parse_destination(const std::string& text) {
  if (text.empty()) fail(Exit::usage, "a destination is empty; for example s3://bucket/models/ or /srv/models/");
  if (std::any_of(text.begin(), text.end(), is_control)) {
    fail(Exit::usage, "{}: a destination cannot have control characters in it", escape_tsv(text));
  }
  const Scheme* scheme = scheme_of(text);
  if (scheme == nullptr) {
    if (text.find("://") == std::string::npos) return folder(text, text);
    std::string known;
    for (const Scheme& each : kSchemes) known += (known.empty() ? "" : ", ") + std::string(each.example);
    fail(Exit::usage, "{}: no kind of destination that is known; there are {}", text, known);
  }
  const std::string rest = text.substr(scheme->name.size() + 3);
  if (scheme->name == "file") {
    if (!rest.starts_with('/')) refuse(text, *scheme, "a file URL begins with file:///");
    return folder(text, rest);
  }
  const std::vector<std::string> parts = split(rest, '/');
  const size_t bucket = scheme->has_account ? 1 : 0;
  Destination destination{text, std::string(scheme->name), "", "", ""};
  if (scheme->has_account) {
    destination.account = parts[0];
    check_name(text, *scheme, "storage account", parts[0], "");
  }
  destination.bucket = bucket < parts.size() ? parts[bucket] : "";
  check_name(text, *scheme, scheme->bucket_word, destination.bucket, scheme->bucket_marks);
  destination.prefix = normal_prefix(text, *scheme, std::span(parts).subspan(bucket + 1));
  return destination;
}

std::unique_ptr<Remote> open_remote(const Destination& destination, const RemoteOptions& options) {
  for (const Scheme& scheme : kSchemes) {
    if (destination.scheme == scheme.name) return scheme.open(destination, options);
  }
  fail(Exit::bug, "no kind of destination is called '{}'", destination.scheme);
}

std::string object_text(const Destination& destination, const std::string& key) {
  std::string text = destination.text;
  if (!text.ends_with('/')) text += '/';
  return text + key;
}

std::string full_key(const Destination& destination, const std::string& key) {
  const std::vector<std::string> parts = split(key, '/');
  const bool leads_out = std::any_of(
      parts.begin(), parts.end(), [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
  if (leads_out || std::any_of(key.begin(), key.end(), is_control)) {
    fail(Exit::integrity, "{}: '{}' cannot be the name of an object", destination.text, escape_tsv(key));
  }
  return destination.prefix + key;
}

}  // namespace lepton
