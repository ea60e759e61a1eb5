#include "push/pull.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "io/files.h"
#include "push/collect.h"
#include "push/faults.h"
#include "push/hashes.h"
#include "push/scratch.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFetched = ".lepton-pull";  // inside the target: what was fetched and has no name yet

bool holds(const std::string& path, int64_t size, const std::string& sha256) {
  std::error_code error;
  if (!fs::is_regular_file(path, error) || static_cast<int64_t>(fs::file_size(path, error)) != size) return false;
  return hash_file(path).sha256 == sha256;
}

// Folders below `root` on the way to a file, made where missing. A link among them could lead anywhere.
void make_parents(const fs::path& root, const std::string& name) {
  fs::path at = root;
  const fs::path parents = fs::path(name).parent_path();
  for (const fs::path& part : parents) {
    at /= part;
    std::error_code error;
    const fs::file_status status = fs::symlink_status(at, error);
    if (fs::is_symlink(status)) fail(Exit::output, "{}: is a link; '{}' is not written through it", at.string(), name);
    if (!fs::is_directory(status)) fs::create_directory(at, error);
    if (error) fail(Exit::output, "{}: {}", at.string(), error.message());
  }
}

// Made where missing and held until the descriptor is closed; whoever held it before may have removed it.
FileDescriptor lock_folder(const std::string& path) {
  for (;;) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) fail(Exit::output, "{}: {}", path, error.message());
    FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) continue;
    while (::flock(folder.get(), LOCK_EX) != 0) {
      if (errno != EINTR) fail(Exit::output, "{}: cannot be locked: {}", path, std::strerror(errno));
    }
    struct stat held{}, there{};
    const bool same = ::fstat(folder.get(), &held) == 0 && ::stat(path.c_str(), &there) == 0 &&
                      held.st_ino == there.st_ino && held.st_dev == there.st_dev;
    if (same) return folder;
  }
}

class Puller {
 public:
  Puller(Store& store, std::string folder, const PullOptions& options, const Published& published)
      : store_(store),
        folder_(std::move(folder)),
        fetched_(folder_ + "/" + kFetched),
        options_(options),
        published_(published) {}

  PullResult run() {
    if (!published_.known) {
      fail(Exit::usage, "{}: is encrypted; give the secret key with --identity FILE", store_.name_of(""));
    }
    result_.manifest = published_.current().manifest;
    const FileDescriptor lock = lock_folder(fetched_);
    choose();
    fetch();
    for (const ManifestFile* file : wanted_) place(*file);
    std::error_code ignored;
    fs::remove_all(fetched_, ignored);
    result_.state = wanted_.empty() ? "unchanged" : "pulled";
    return result_;
  }

 private:
  void choose() {
    bool any = false;
    for (const ManifestFile& file : published_.manifest.files) {
      const bool chosen = options_.only.empty() ? passes_globs(file.name, options_.include, options_.exclude)
                                                : file.name == options_.only;
      if (!chosen) continue;
      any = true;
      if (!holds(folder_ + "/" + file.name, file.size, file.sha256)) wanted_.push_back(&file);
    }
    if (!any) {
      fail(Exit::no_input, "{}: the release '{}' has no {}", store_.name_of(""), options_.release,
           options_.only.empty() ? "file that matches" : "'" + options_.only + "'");
    }
  }

  void fetch() {
    std::map<std::string, Download> downloads;
    for (const ManifestFile* file : wanted_) {
      const ManifestObject& object = *published_.manifest.find(file->object);
      const std::string path = fetched_ + "/" + object.sha256;
      if (downloads.contains(object.sha256) || holds(path, object.size, object.sha256)) continue;
      fs::remove(path);
      downloads[object.sha256] = {object_key(object.sha256), path, object.size};
      ++result_.objects;
      result_.bytes += object.size;
    }
    std::vector<Download> list;
    list.reserve(downloads.size());
    for (const auto& [hash, download] : downloads) list.push_back(download);
    if (!list.empty()) store_.remote().get_many(list);
    for (const auto& [hash, download] : downloads) {
      if (!holds(download.file, download.size, hash)) {
        fs::remove(download.file);
        fail(Exit::integrity, "{}: its bytes do not have the hash it is named by", store_.name_of(download.key));
      }
    }
  }

  void place(const ManifestFile& file) {
    make_parents(folder_, file.name);
    std::string from = fetched_ + "/" + file.object;
    if (published_.manifest.encrypted()) {
      const std::string opened = fetched_ + "/opened";
      fs::remove(opened);
      decrypt_file(options_.seal, from, opened, store_.name_of(file.name));
      from = opened;
    }
    AtomicFile out(folder_ + "/" + file.name);
    const FileDescriptor to(::open(out.path().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    if (!to) fail(Exit::output, "{}: {}", out.path(), std::strerror(errno));
    copy_to(open_input(from).get(), to.get(), out.target());
    if (hash_file(out.path()).sha256 != file.sha256) {
      fail(Exit::integrity, "{}: its bytes do not have the hash in the manifest", store_.name_of(file.name));
    }
    out.commit();
  }

  Store& store_;
  std::string folder_, fetched_;
  const PullOptions& options_;
  const Published& published_;
  std::vector<const ManifestFile*> wanted_;
  PullResult result_;
};

}  // namespace

PullResult pull(Store& store, const std::string& folder, const PullOptions& options) {
  constexpr int kAttempts = 3;
  for (int attempt = 1;; ++attempt) {
    std::string seen;
    try {
      const Published published = store.require(options.release, options.seal);
      seen = published.text;
      return Puller(store, folder, options, published).run();
    } catch (const Error& error) {
      // A publisher may have moved on and pruned what we were about to fetch.
      if (error.status() != Exit::integrity || attempt == kAttempts) throw;
      const std::optional<Published> now = store.read_pointer(options.release);
      if (!now || now->text == seen) throw;
    }
  }
}

PullResult verify(Store& store, const PullOptions& options, bool deep) {
  const Published published = store.require(options.release, options.seal);
  const std::vector<StoredObject> listing = store.remote().list("objects/");
  PullResult result{"verified", 0, 0, published.current().manifest};
  std::vector<ObjectCheck> checks;
  checks.reserve(published.manifest.objects.size());
  for (const ManifestObject& object : published.manifest.objects) {
    checks.push_back({object, ""});
    ++result.objects;
    result.bytes += object.size;
  }
  const std::vector<ObjectFault> faults = find_faults(store, listing, checks, deep);
  if (!faults.empty()) {
    fail(Exit::integrity, "{} {}{}; push the files again to mend it", store.name_of(object_key(faults[0].object)),
         faults[0].why, faults.size() > 1 ? fmt::format(", and {} more objects are damaged", faults.size() - 1) : "");
  }
  return result;
}

}  // namespace lepton
