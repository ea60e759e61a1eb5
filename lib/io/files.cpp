#include "io/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace lepton {
namespace {

constexpr size_t kCopyBytes = size_t{1} << 18;
constexpr int64_t kSpoolMemory = int64_t{64} << 20;  // what a pipe may keep in memory before it goes to disk

ssize_t read_some(int fd, std::span<uint8_t> bytes) {
  ssize_t got = 0;
  do {
    got = ::read(fd, bytes.data(), bytes.size());
  } while (got < 0 && errno == EINTR);
  return got;
}

void copy_all(int from, int to, std::string_view to_name) {
  std::vector<uint8_t> buffer(kCopyBytes);
  int64_t offset = 0;
  for (ssize_t got = 0; (got = ::pread(from, buffer.data(), buffer.size(), offset)) != 0; offset += got) {
    if (got < 0) fail(Exit::output, "{}: reading the spool: {}", to_name, std::strerror(errno));
    write_all(to, std::span(buffer).first(static_cast<size_t>(got)), to_name);
  }
}

}  // namespace

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) reset(std::exchange(other.fd_, -1));
  return *this;
}

FileDescriptor::~FileDescriptor() { reset(); }

void FileDescriptor::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

std::filesystem::path temporary_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/tmp";
}

FileDescriptor open_input(const std::string& path) {
  if (path == "-") return open_spooled(STDIN_FILENO);
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail(Exit::no_input, "{}: {}", path, std::strerror(errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) fail(Exit::no_input, "{}: {}", path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) fail(Exit::no_input, "{}: is a folder, expected a file", path);
  if (!S_ISREG(status.st_mode)) return open_spooled(file.get());
  return file;
}

FileDescriptor unnamed_file() {
  const std::filesystem::path folder = temporary_folder();
  std::string name = (folder / "lepton-spool-XXXXXX").string();
  FileDescriptor file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) {
    fail(Exit::output, "{}: cannot spool there: {}; set TMPDIR to a folder with room", folder.string(),
         std::strerror(errno));
  }
  ::unlink(name.c_str());
  return file;
}

FileDescriptor open_spooled(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
    FileDescriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) fail(Exit::failed, "cannot duplicate a file descriptor: {}", std::strerror(errno));
    return copy;
  }
  FileDescriptor spool(::memfd_create("lepton-spool", MFD_CLOEXEC));
  bool in_memory = static_cast<bool>(spool);
  if (!in_memory) spool = unnamed_file();
  std::vector<uint8_t> buffer(kCopyBytes);
  int64_t total = 0;
  for (ssize_t got = 0; (got = read_some(fd, buffer)) != 0;) {
    if (got < 0) fail(Exit::no_input, "standard input: {}", std::strerror(errno));
    total += got;
    if (in_memory && total > kSpoolMemory) {
      FileDescriptor larger = unnamed_file();
      copy_all(spool.get(), larger.get(), "spool");
      spool = std::move(larger);
      in_memory = false;
    }
    write_all(spool.get(), std::span(buffer).first(static_cast<size_t>(got)), "spool of standard input");
  }
  return spool;
}

std::vector<uint8_t> read_file(const std::string& path, int64_t max_bytes) {
  const FileDescriptor file = open_input(path);
  const int64_t size = file_size(file.get());
  if (size > max_bytes) {
    fail(Exit::bad_inputs, "{}: {} bytes, more than the limit of {}", path, size, max_bytes);
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  read_at(file.get(), bytes, 0, path);
  return bytes;
}

int64_t file_size(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) fail(Exit::no_input, "cannot ask for a file's size: {}", std::strerror(errno));
  return status.st_size;
}

void read_at(int fd, std::span<uint8_t> bytes, int64_t offset, std::string_view name) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(fd, bytes.data() + done, bytes.size() - done, offset + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Exit::integrity, "{}: {}", name, std::strerror(errno));
    if (got == 0) fail(Exit::integrity, "{}: ends at byte {}", name, offset + static_cast<int64_t>(done));
    done += static_cast<size_t>(got);
  }
}

void write_all(int fd, std::span<const uint8_t> bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EPIPE) throw BrokenPipe{};
    if (put < 0) fail(Exit::output, "{}: {}", name, std::strerror(errno));
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
}

void copy_to(int from, int to, std::string_view name) { copy_all(from, to, name); }

}  // namespace lepton
