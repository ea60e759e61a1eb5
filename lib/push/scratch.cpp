#include "push/scratch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "io/files.h"

namespace lepton {

namespace {

namespace fs = std::filesystem;

FileDescriptor locked_folder(const std::string& path) {
  FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) folder.reset();
  return folder;
}

void remove_leftovers(const fs::path& temporary) {
  std::error_code error;
  for (fs::directory_iterator it(temporary, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with(std::string(kScratchName) + "-")) continue;
    struct stat status{};
    const std::string path = it->path().string();
    if (::lstat(path.c_str(), &status) != 0 || status.st_uid != ::geteuid()) continue;
    std::error_code ignored;
    if (locked_folder(path)) fs::remove_all(path, ignored);
  }
}

}  // namespace

ScratchFolder::ScratchFolder(const std::string& parent, const std::string& name) {
  const fs::path temporary = fs::absolute(parent.empty() ? temporary_folder() : fs::path(parent));
  if (temporary.string().find_first_of("*?[]{}#\n") != std::string::npos) {
    fail(Exit::usage, "TMPDIR={}: clients would take its special characters for patterns; use another folder",
         temporary.string());
  }
  remove_leftovers(temporary);
  while (!lock_ || !fs::exists(path_)) {  // until locked, another run may take it for a leftover
    path_ = (temporary / (name + "-XXXXXX")).string();
    if (!::mkdtemp(path_.data())) {
      fail(Exit::output, "{}: no folder can be made there: {}", temporary.string(), std::strerror(errno));
    }
    lock_ = locked_folder(path_);
  }
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string memory_folder() {
  constexpr const char* kMemory = "/dev/shm";
  return ::access(kMemory, W_OK | X_OK) == 0 ? kMemory : "";
}

std::string read_text_file(const std::string& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

void write_text_file(const std::string& path, const std::string& text) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) fail(Exit::output, "{}: {}", path, std::strerror(errno));
  write_all(file.get(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, path);
}

}  // namespace lepton
