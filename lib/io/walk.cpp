#include "io/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/text.h"

namespace lepton {
namespace {

bool is_hidden(std::string_view name) {
  return name.front() == '.' || name == "Thumbs.db" || name == "desktop.ini" || name == "__MACOSX";
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

struct Entry {
  std::string name;
  unsigned char type;
};

// Folders are asked for what readdir did not say and for what a link leads to.
unsigned char real_type(int directory, const Entry& entry) {
  if (entry.type != DT_UNKNOWN && entry.type != DT_LNK) return entry.type;
  struct stat status{};
  if (::fstatat(directory, entry.name.c_str(), &status, 0) != 0) return DT_UNKNOWN;
  if (S_ISDIR(status.st_mode)) return DT_DIR;
  return S_ISREG(status.st_mode) ? DT_REG : DT_CHR;
}

}  // namespace

FileTree FileTree::walk(const std::string& root) {
  FileTree tree;
  tree.root_.reset(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!tree.root_) fail(Exit::no_input, "{}: cannot read the folder: {}", root, std::strerror(errno));
  std::vector<std::pair<uint64_t, uint64_t>> ancestors;
  tree.walk_folder(tree.root_.get(), ".", "", ancestors);
  return tree;
}

FileTree FileTree::list(const std::vector<std::string>& paths) {
  FileTree tree;
  tree.folders_.emplace_back();
  std::vector<std::string_view> sorted(paths.begin(), paths.end());
  std::sort(sorted.begin(), sorted.end());
  for (const std::string_view path : sorted) tree.add(0, path);
  return tree;
}

void FileTree::add(int32_t folder, std::string_view name) {
  files_.push_back({folder, names_.size()});
  names_.append(name).push_back('\0');
}

void FileTree::walk_folder(int parent, const std::string& name, const std::string& relative,
                           std::vector<std::pair<uint64_t, uint64_t>>& ancestors) {
  const int fd = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    problems_.push_back({relative, fmt::format("the folder cannot be read: {}", std::strerror(errno))});
    return;
  }
  const std::unique_ptr<DIR, DirectoryCloser> directory(::fdopendir(fd));
  struct stat status{};
  ::fstat(fd, &status);
  const std::pair<uint64_t, uint64_t> self{status.st_dev, status.st_ino};
  if (std::find(ancestors.begin(), ancestors.end(), self) != ancestors.end()) {
    problems_.push_back({relative, "the link leads back to a folder above it"});
    return;
  }
  ancestors.push_back(self);

  std::vector<Entry> entries;
  while (const dirent* found = ::readdir(directory.get())) {
    const std::string_view entry = found->d_name;
    if (entry == "." || entry == "..") continue;
    if (is_hidden(entry)) {
      ++hidden_;
      continue;
    }
    entries.push_back({std::string(entry), found->d_type});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });

  const auto folder = static_cast<int32_t>(folders_.size());
  folders_.push_back(relative);
  for (const Entry& entry : entries) {
    const std::string path = relative.empty() ? entry.name : relative + "/" + entry.name;
    switch (real_type(fd, entry)) {
      case DT_REG:
        add(folder, entry.name);
        break;
      case DT_DIR:
        walk_folder(fd, entry.name, path, ancestors);
        break;
      case DT_UNKNOWN:
        problems_.push_back({path, "the link leads nowhere"});
        break;
      default:
        problems_.push_back({path, "is neither a file nor a folder"});
    }
  }
  ancestors.pop_back();
}

std::string FileTree::path(int64_t index) const {
  const File& file = files_[static_cast<size_t>(index)];
  const std::string& folder = folders_[static_cast<size_t>(file.folder)];
  const char* name = names_.c_str() + file.name;
  return folder.empty() ? std::string(name) : folder + "/" + name;
}

void FileTree::read(int64_t index, std::vector<uint8_t>& bytes, int64_t max_bytes) const {
  const std::string name = path(index);
  // Not blocking: a listed FIFO must be refused, not waited for.
  const FileDescriptor file(
      ::openat(root_ ? root_.get() : AT_FDCWD, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) fail(Exit::bad_inputs, "cannot be opened: {}", std::strerror(errno));
  struct stat status{};
  ::fstat(file.get(), &status);
  if (!S_ISREG(status.st_mode)) fail(Exit::bad_inputs, "is not a regular file");
  if (status.st_size > max_bytes) {
    fail(Exit::bad_inputs, "holds {} bytes, more than the {} allowed", with_commas(status.st_size),
         with_commas(max_bytes));
  }
  bytes.resize(static_cast<size_t>(status.st_size));
  for (size_t filled = 0; filled < bytes.size();) {
    const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Exit::bad_inputs, "cannot be read: {}", std::strerror(errno));
    if (got == 0) {
      bytes.resize(filled);
      return;
    }
    filled += static_cast<size_t>(got);
  }
}

}  // namespace lepton
