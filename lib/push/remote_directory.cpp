// A plain directory, local or mounted, as a destination.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "io/files.h"
#include "io/process.h"
#include "push/hashes.h"
#include "push/vendors.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockName = ".lepton-lock";

void copy_file(const std::string& from, int to, const std::string& name) {
  const FileDescriptor source = open_input(from);
  copy_to(source.get(), to, name);
}

FileDescriptor open_to_write(const std::string& path) {
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file) fail(Exit::output, "{}: {}", path, std::strerror(errno));
  return file;
}

class DirectoryRemote : public Remote {
 public:
  DirectoryRemote(Destination destination, RemoteOptions options)
      : destination_(std::move(destination)), options_(std::move(options)), root_(destination_.prefix) {}

  std::optional<StoredObject> get(const std::string& key, const std::string& file) override {
    const std::string path = full_key(destination_, key);
    if (!is_there(path)) return std::nullopt;
    AtomicFile copy(file);
    copy_file(path, open_to_write(copy.path()).get(), file);
    StoredObject object = described(key, copy.path());  // of the copy: another may be there by now
    copy.commit();
    return object;
  }

  void get_many(std::span<const Download> downloads) override {
    in_parallel(downloads.size(), options_.parallel, [&](size_t i) {
      if (get(downloads[i].key, downloads[i].file)) return;
      fail(Exit::integrity, "{}: is missing", object_text(destination_, downloads[i].key));
    });
  }

  bool put(const Upload& upload, const Condition& condition) override {
    const std::string path = full_key(destination_, upload.key);
    if (options_.script != nullptr) {
      script_put(upload.file, path, condition);
      return true;
    }
    make_folders(fs::path(path).parent_path());
    const FileDescriptor lock = locked(condition.kind == Condition::Kind::always ? LOCK_SH : LOCK_EX);
    if (!holds(condition, path)) return false;
    make_folders(fs::path(path).parent_path());  // a remove() may have been between
    AtomicFile copy(path);
    copy_file(upload.file, open_to_write(copy.path()).get(), path);
    copy.commit();
    return true;
  }

  void put_many(std::span<const Upload> uploads) override {
    const int threads = options_.script != nullptr ? 1 : options_.parallel;
    in_parallel(uploads.size(), threads, [&](size_t i) {
      if (options_.stop && options_.stop()) fail(Exit::failed, "{}: stopped", destination_.text);
      put(uploads[i], {});
    });
  }

  std::vector<StoredObject> list(const std::string& prefix) override {
    std::vector<StoredObject> objects;
    list_folder(root_ + prefix.substr(0, prefix.rfind('/') + 1), prefix, objects);  // npos + 1 is 0
    std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return objects;
  }

  std::optional<StoredObject> head(const std::string& key) override {
    const std::string path = full_key(destination_, key);
    if (!is_there(path)) return std::nullopt;
    return described(key, path);
  }

  void remove(std::span<const std::string> keys) override {
    if (options_.script != nullptr) {
      script_remove(keys);
      return;
    }
    if (!is_there(root_)) return;
    const FileDescriptor lock = locked(LOCK_EX);
    for (const std::string& key : keys) {
      const std::string path = full_key(destination_, key);
      if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
        fail(Exit::output, "{}: cannot be removed: {}", path, std::strerror(errno));
      }
      for (const std::string& folder : parents(key)) {
        if (::rmdir(folder.c_str()) != 0) break;
      }
    }
  }

 private:
  static bool is_there(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    fail(Exit::no_input, "{}: {}", path, std::strerror(errno));
  }

  // A folder that is gone, perhaps since a moment ago, is empty.
  void list_folder(const fs::path& folder, const std::string& prefix, std::vector<StoredObject>& objects) const {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      const std::string path = entry->path().string(), key = path.substr(root_.size());
      struct stat status{};
      if (is_own_leftover(entry->path().filename().string()) || ::stat(path.c_str(), &status) != 0) continue;
      std::error_code ignored;
      if (S_ISDIR(status.st_mode) && !entry->is_symlink(ignored)) list_folder(entry->path(), prefix, objects);
      if (!S_ISREG(status.st_mode) || !key.starts_with(prefix)) continue;
      objects.push_back({key, status.st_size, "", "", "", "", status.st_mtime});
    }
    if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory) {
      fail(Exit::no_input, "{}: cannot be listed: {}", folder.string(), error.message());
    }
  }

  static StoredObject described(const std::string& key, const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) fail(Exit::no_input, "{}: {}", path, std::strerror(errno));
    FileHashes hashes = hash_file(path);
    return {key, hashes.size, hashes.md5, "", hashes.sha256, hashes.sha256, status.st_mtime};
  }

  static bool holds(const Condition& condition, const std::string& path) {
    if (condition.kind == Condition::Kind::always) return true;
    const bool there = is_there(path);
    if (condition.kind == Condition::Kind::absent) return !there;
    return there && hash_file(path).sha256 == condition.tag;
  }

  static void make_folders(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) fail(Exit::output, "{}: cannot be made: {}", folder.string(), error.message());
  }

  // Shared by those who only add, so that they need not wait for each other; of one who asks before it writes or who
  // takes folders away. flock holds between threads too, as each opens the file anew.
  FileDescriptor locked(int kind) const {
    const std::string path = root_ + kLockName;
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!file) fail(Exit::output, "{}: {}", path, std::strerror(errno));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(options_.timeout_seconds);
    while (::flock(file.get(), kind | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) fail(Exit::output, "{}: {}", path, std::strerror(errno));
      if (options_.stop && options_.stop()) fail(Exit::failed, "{}: stopped", destination_.text);
      if (std::chrono::steady_clock::now() >= deadline) {
        fail(Exit::try_later, "{}: another run has held it for {:.0f} s", path, options_.timeout_seconds);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return file;
  }

  // Folders of an object, the innermost first, without the root.
  std::vector<std::string> parents(const std::string& key) const {
    std::vector<std::string> folders;
    for (size_t end = key.rfind('/'); end != std::string::npos && end > 0; end = key.rfind('/', end - 1)) {
      folders.push_back(root_ + key.substr(0, end));
    }
    return folders;
  }

  void script(const std::string& line) {
    const std::lock_guard<std::mutex> hold(mutex_);
    *options_.script += line + "\n";
  }

  void script_put(const std::string& file, const std::string& path, const Condition& condition) {
    const std::string target = shell_quoted(path);
    const fs::path whole(path);
    const std::string beside = (whole.parent_path() / ("." + whole.filename().string() + ".lepton-new")).string();
    if (condition.kind == Condition::Kind::absent) script("test ! -e " + target + " || exit 75");
    if (condition.kind == Condition::Kind::unchanged) {
      script("test \"$(sha256sum < " + target + " | cut -c 1-64)\" = " + shell_quoted(condition.tag) + " || exit 75");
    }
    script(shell_quoted({"mkdir", "-p", "--", whole.parent_path().string()}));
    script(shell_quoted({"cp", "--", file, beside}));
    script(shell_quoted({"mv", "-T", "--", beside, path}));
  }

  void script_remove(std::span<const std::string> keys) {
    std::set<std::string, std::greater<>> folders;  // inner ones come first
    for (const std::string& key : keys) {
      script(shell_quoted({"rm", "-f", "--", full_key(destination_, key)}));
      for (std::string& folder : parents(key)) folders.insert(std::move(folder));
    }
    for (const std::string& folder : folders) {
      script(shell_quoted({"rmdir", "--", folder}) + " 2>/dev/null || true");
    }
  }

  Destination destination_;
  RemoteOptions options_;
  std::string root_;
  std::mutex mutex_;
};

}  // namespace

std::unique_ptr<Remote> open_directory(const Destination& destination, const RemoteOptions& options) {
  return std::make_unique<DirectoryRemote>(destination, options);
}

}  // namespace lepton
