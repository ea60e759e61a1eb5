#include "push/collect.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/hdf5.h"
#include "push/manifest.h"
#include "push/vendors.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

class Collector {
 public:
  explicit Collector(const CollectOptions& options) : options_(options) {}

  void add(const std::string& path, const std::string& name) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) fail(Exit::no_input, "{}: {}", path, error ? error.message() : "no such file");
    if (fs::is_directory(status)) return add_folder(path, name);
    if (!fs::is_regular_file(status))
      fail(Exit::bad_inputs, "{}: is no regular file; leave it out with --exclude", path);
    if (!is_safe_file_name(name)) {
      fail(Exit::bad_inputs, "{}: cannot be published under the name '{}': names are UTF-8 and stay below their folder",
           path, escape_tsv(name));
    }
    if (!passes_globs(name, options_.include, options_.exclude)) return;
    files.push_back({name, path, {}, media_type(name), {}, {}});
  }

  std::vector<LocalFile> files;

 private:
  void add_folder(const std::string& path, const std::string& name) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) fail(Exit::no_input, "{}: {}", path, std::strerror(errno));
    const std::pair folder(status.st_dev, status.st_ino);
    if (std::find(ancestors_.begin(), ancestors_.end(), folder) != ancestors_.end()) {
      fail(Exit::bad_inputs, "{}: is a link back to a folder it is in; leave it out with --exclude", path);
    }
    ancestors_.push_back(folder);
    std::error_code error;
    std::vector<std::string> inside;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      inside.push_back(it->path().filename().string());
    }
    if (error) fail(Exit::no_input, "{}: {}", path, error.message());
    std::sort(inside.begin(), inside.end());
    for (const std::string& entry : inside) {
      if (is_own_leftover(entry)) continue;
      std::string below = name.empty() ? "" : name + "/";
      below += entry;
      // What is excluded may be anything, a socket or a folder that cannot be read.
      if (!passes_globs(below, {}, options_.exclude)) continue;
      add(fmt::format("{}/{}", path, entry), below);
    }
    ancestors_.pop_back();
  }

  const CollectOptions& options_;
  std::vector<std::pair<dev_t, ino_t>> ancestors_;
};

std::string operand_name(const std::string& operand) {
  const fs::path normal = fs::path(operand).lexically_normal();
  const fs::path last = normal.has_filename() ? normal.filename() : normal.parent_path().filename();
  if (last == ".") return "";
  if (last == "..") return fs::weakly_canonical(operand).filename().string();
  return last.string();
}

std::string listed_name(const std::string& path) {
  const fs::path normal = fs::path(path).lexically_normal();
  return normal.is_absolute() ? normal.filename().string() : normal.string();
}

bool is_hdf5_name(const std::string& name) { return name.ends_with(".h5") || name.ends_with(".hdf5"); }

void describe(LocalFile& file, const CollectOptions& options) {
  if (!is_hdf5_name(file.name)) return;
  try {
    const H5Contents contents = read_hdf5(file.path);
    const auto root = contents.attributes.find("/");
    if (root == contents.attributes.end()) return;
    const auto text = [&](const char* key) {
      const auto it = root->second.find(key);
      const auto* value = it == root->second.end() ? nullptr : std::get_if<std::string>(&it->second);
      return value ? *value : std::string();
    };
    if (!text("format").starts_with("lepton-")) return;
    file.format = text("format");
    file.content_sha256 = text("content_sha256");
  } catch (const Error& error) {
    if (options.warn) options.warn(std::string(error.what()) + "; it is published as it is");
  }
}

}  // namespace

std::vector<LocalFile> collect(const std::vector<std::string>& operands, const std::vector<std::string>& listed,
                               const CollectOptions& options) {
  Collector collector(options);
  for (const std::string& operand : operands) collector.add(operand, operand_name(operand));
  for (const std::string& path : listed) collector.add(path, listed_name(path));
  std::vector<LocalFile> files = std::move(collector.files);
  std::sort(files.begin(), files.end(),
            [](const LocalFile& a, const LocalFile& b) { return std::tie(a.name, a.path) < std::tie(b.name, b.path); });
  files.erase(std::unique(files.begin(), files.end(),
                          [](const LocalFile& a, const LocalFile& b) { return a.name == b.name && a.path == b.path; }),
              files.end());
  for (size_t i = 1; i < files.size(); ++i) {
    if (files[i].name == files[i - 1].name) {
      fail(Exit::usage, "{} and {} would both be published as '{}'", files[i - 1].path, files[i].path, files[i].name);
    }
  }
  for (LocalFile& file : files) describe(file, options);  // forks: before any thread
  in_parallel(files.size(), options.threads, [&](size_t i) { files[i].hashes = hash_file(files[i].path); });
  return files;
}

bool passes_globs(const std::string& name, const std::vector<std::string>& include,
                  const std::vector<std::string>& exclude) {
  const std::string last = name.substr(name.rfind('/') + 1);
  const auto matches = [&](const std::string& glob) {
    const std::string& subject = glob.find('/') == std::string::npos ? last : name;
    return ::fnmatch(glob.c_str(), subject.c_str(), 0) == 0;
  };
  return (include.empty() || std::any_of(include.begin(), include.end(), matches)) &&
         std::none_of(exclude.begin(), exclude.end(), matches);
}

std::string media_type(const std::string& name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kTypes = {{
      {".h5", "application/x-hdf5"},
      {".hdf5", "application/x-hdf5"},
      {".json", "application/json"},
      {".jsonl", "application/jsonl"},
      {".tsv", "text/tab-separated-values"},
      {".csv", "text/csv"},
      {".txt", "text/plain"},
      {".log", "text/plain"},
      {".md", "text/markdown"},
      {".html", "text/html"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".jpeg", "image/jpeg"},
      {".pdf", "application/pdf"},
      {".wav", "audio/wav"},
      {".gz", "application/gzip"},
      {".onnx", "application/octet-stream"},
  }};
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return std::string(type);
  }
  return "application/octet-stream";
}

}  // namespace lepton
