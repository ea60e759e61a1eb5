#include "io/bytes.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "io/gzip.h"

namespace lepton {
namespace {

constexpr int kPollMilliseconds = 100;

// Owned or, for standard input, borrowed.
class LiveBytes {
 public:
  LiveBytes(FileDescriptor own, int fd, std::string name, std::function<bool()> wanted)
      : own_(std::move(own)), fd_(fd), name_(std::move(name)), wanted_(std::move(wanted)) {}

  size_t read(std::span<uint8_t> bytes) {
    for (;;) {
      pollfd waiting{fd_, POLLIN, 0};
      if (::poll(&waiting, 1, kPollMilliseconds) == 0) {
        if (!wanted_()) return 0;
        continue;
      }
      const ssize_t got = ::read(fd_, bytes.data(), bytes.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail(Exit::no_input, "{}: {}", name_, std::strerror(errno));
      const auto count = static_cast<size_t>(got);
      if (std::exchange(first_, false) && count > 1 && bytes[0] == 0x1f && bytes[1] == 0x8b) {
        fail(Exit::no_input, "{}: is compressed: pipe it through gzip -dc", name_);
      }
      return count;
    }
  }

 private:
  FileDescriptor own_;
  int fd_;
  std::string name_;
  std::function<bool()> wanted_;
  bool first_ = true;
};

}  // namespace

ByteSource open_bytes(const std::string& path, std::function<bool()> wanted) {
  FileDescriptor file;
  if (path != "-") {  // not open_input: a named pipe is to be read as it comes
    file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0) fail(Exit::no_input, "{}: {}", path, std::strerror(errno));
    if (S_ISDIR(status.st_mode)) fail(Exit::no_input, "{}: is a folder, expected a file", path);
    if (S_ISREG(status.st_mode)) return file_bytes(file.get(), path);
  }
  const int fd = path == "-" ? STDIN_FILENO : file.get();
  const std::string name = path == "-" ? "standard input" : path;
  auto live = std::make_shared<LiveBytes>(std::move(file), fd, name, std::move(wanted));
  return [live](std::span<uint8_t> bytes) { return live->read(bytes); };
}

ByteSource file_bytes(int fd, const std::string& name) {
  // GzipReader duplicates what it is given; duplicates share a position, so that only one of them may read at a time.
  auto reader = std::make_shared<GzipReader>(FileDescriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 3)), name);
  return [reader](std::span<uint8_t> bytes) { return reader->read(bytes); };
}

ByteSource memory_bytes(std::string_view text) {
  return [text](std::span<uint8_t> bytes) mutable {
    const size_t count = std::min(bytes.size(), text.size());
    if (count > 0) std::memcpy(bytes.data(), text.data(), count);
    text.remove_prefix(count);
    return count;
  };
}

}  // namespace lepton
