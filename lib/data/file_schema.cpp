#include "data/file_schema.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"

namespace lepton {
namespace {

const H5Data* find(const H5Contents& file, const std::string& path) {
  const auto it = file.data.find(path);
  return it == file.data.end() ? nullptr : &it->second;
}

constexpr std::string_view kParts = "/meta/parts/";

bool is_meta(std::string_view path) {
  constexpr std::array<std::string_view, 11> kNames = {"classes",     "mean",        "std",       "recipe",
                                                       "provenance",  "errors/id",   "metrics",   "errors/message",
                                                       "calibration", "target_mean", "target_std"};
  constexpr std::string_view kPrefix = "/meta/";
  if (path.starts_with(kParts)) return true;
  return path.starts_with(kPrefix) &&
         std::find(kNames.begin(), kNames.end(), path.substr(kPrefix.size())) != kNames.end();
}

}  // namespace

bool is_of_dataset(const std::string& path) {
  for (const std::string_view split : {"/train/", "/val/", "/test/"}) {
    if (!path.starts_with(split)) continue;
    const std::string_view name = std::string_view(path).substr(split.size());
    return name == "x" || name == "y" || name == "id" || name == "sha256";
  }
  return is_meta(path);
}

bool is_of_model(const std::string& path) {
  return path == "/net" || path == "/graph" || path.starts_with("/weights/") || path == "/selftest/x" ||
         path == "/selftest/logits" || path.starts_with("/state/") || is_meta(path);
}

bool has(const H5Contents& file, const std::string& path) { return find(file, path) != nullptr; }

std::string root_text(const H5Contents& file, const std::string& name) {
  const auto root = file.attributes.find("/");
  if (root == file.attributes.end()) return {};
  const auto it = root->second.find(name);
  if (it == root->second.end()) return {};
  if (const auto* text = std::get_if<std::string>(&it->second)) return *text;
  return std::to_string(std::get<int64_t>(it->second));
}

void check_format(const H5Contents& file, const std::string& format) {
  const std::string found = root_text(file, "format"), version = root_text(file, "version");
  if (found != format) {
    fail(Exit::mismatch, "{}: is {}, expected a {}", file.name,
         found.empty() ? "an HDF5 file of another program" : "a " + found, format);
  }
  if (version != std::to_string(kFormatVersion)) {
    fail(Exit::mismatch, "{}: is {} version {}; this program reads version {}", file.name, format, version,
         kFormatVersion);
  }
  if (root_text(file, "complete") != "1") fail(Exit::integrity, "{}: was never completed; make it again", file.name);
}

std::string read_text(const H5Contents& file, const std::string& path) {
  const H5Data* data = find(file, path);
  if (!data) return {};
  if (data->type != H5Type::string || data->rows() != 1) fail(Exit::mismatch, "{}: {} is not a text", file.name, path);
  const std::vector<uint8_t> bytes = read_all(file, path);
  return {bytes.begin(), std::find(bytes.begin(), bytes.end(), uint8_t{0})};
}

std::vector<std::string> read_strings(const H5Contents& file, const std::string& path) {
  const H5Data* data = find(file, path);
  if (!data) return {};
  if (data->type != H5Type::string || data->dims.size() != 1)
    fail(Exit::mismatch, "{}: {} is not a list of strings", file.name, path);
  const std::vector<uint8_t> bytes = read_all(file, path);
  const auto width = static_cast<size_t>(data->string_length);
  std::vector<std::string> values;
  for (size_t at = 0; at + width <= bytes.size(); at += width) {
    const char* text = reinterpret_cast<const char*>(bytes.data() + at);
    values.emplace_back(text, ::strnlen(text, width));
  }
  return values;
}

std::vector<float> read_floats(const H5Contents& file, const std::string& path) {
  const H5Data* data = find(file, path);
  if (!data) return {};
  if (data->type != H5Type::f32) fail(Exit::mismatch, "{}: {} is not f32", file.name, path);
  const std::vector<uint8_t> bytes = read_all(file, path);
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

RecipeParts read_parts(const H5Contents& file) {
  RecipeParts parts;
  for (auto it = file.data.lower_bound(std::string(kParts)); it != file.data.end() && it->first.starts_with(kParts);
       ++it) {
    if (it->second.type != H5Type::u8 || it->second.dims.size() != 1)
      fail(Exit::mismatch, "{}: {} is not a row of bytes", file.name, it->first);
    parts[it->first.substr(kParts.size())] = read_all(file, it->first);
  }
  return parts;
}

void write_parts(H5Writer& out, const RecipeParts& parts) {
  for (const auto& [name, bytes] : parts) {
    const int64_t dims[] = {std::ssize(bytes)};
    out.dataset(std::string(kParts) + name, H5Type::u8, dims, bytes, {});
  }
}

void write_floats(H5Writer& out, const std::string& path, const std::vector<float>& values) {
  const int64_t dims[] = {static_cast<int64_t>(values.size())};
  out.dataset(path, H5Type::f32, dims, {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)},
              {});
}

void finish_format(H5Writer& out, const std::string& format, const std::string& task, const std::string& content) {
  out.attribute("/", "format", format);
  out.attribute("/", "version", kFormatVersion);
  out.attribute("/", "task", task);
  out.attribute("/", "content_sha256", content);
  out.attribute("/", "complete", 1);
}

}  // namespace lepton
