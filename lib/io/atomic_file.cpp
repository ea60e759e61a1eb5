// Outputs that appear whole or not at all.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <random>

#include "base/error.h"
#include "base/text.h"
#include "io/files.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

// What a signal handler may unlink: fixed storage, so that nothing is allocated or freed under its hands.
struct Pending {
  std::atomic<pid_t> owner{0};  // 0 = free, -1 = being filled
  std::array<char, PATH_MAX> path{};
};
std::array<Pending, 16> pending;

void remember(const std::string& path) {
  for (Pending& slot : pending) {
    pid_t free = 0;
    if (path.size() >= slot.path.size() || !slot.owner.compare_exchange_strong(free, -1)) continue;
    std::memcpy(slot.path.data(), path.c_str(), path.size() + 1);
    slot.owner = ::getpid();
    return;
  }
}

void forget(const std::string& path) {
  for (Pending& slot : pending) {
    if (slot.owner == ::getpid() && path == slot.path.data()) slot.owner = 0;
  }
}

std::string random_suffix() {
  static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device random;
  std::string suffix;
  for (int i = 0; i < 6; ++i) suffix += kLetters[random() % kLetters.size()];
  return suffix;
}

// Removes temporaries of `name` in `folder` whose writer is gone: no such process here, and nobody, in another
// container or on another machine, holds their lock.
void remove_leftovers(const fs::path& folder, const std::string& prefix) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const std::string rest = name.substr(prefix.size());
    const auto pid = parse_int(rest.substr(0, rest.find('-')));
    if (!pid || *pid <= 0 || *pid > INT_MAX) continue;
    if (::kill(static_cast<pid_t>(*pid), 0) == 0 || errno != ESRCH) continue;
    const FileDescriptor file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(entry.path().c_str());
  }
}

}  // namespace

AtomicFile::AtomicFile(std::string target) : target_(std::move(target)) {
  if (target_ == "-" && ::isatty(STDOUT_FILENO) != 0) {
    fail(Exit::usage, "standard output: HDF5 is not written to a terminal; use -o FILE or a pipe");
  }
  struct stat status{};
  const bool exists = target_ != "-" && ::stat(target_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) fail(Exit::output, "{}: is a folder, expected a file name", target_);
  through_spool_ = target_ == "-" || (exists && !S_ISREG(status.st_mode));
  if (exists && ::access(target_.c_str(), W_OK) != 0) fail(Exit::output, "{}: {}", target_, std::strerror(errno));
  std::error_code error;
  const fs::path real = exists && !through_spool_ ? fs::canonical(target_, error) : fs::path(target_);
  fs::path folder = through_spool_ ? temporary_folder() : real.parent_path();
  if (folder.empty()) folder = ".";
  destination_ = real.string();

  const std::string name = through_spool_ ? "output" : real.filename().string();
  if (name.empty()) fail(Exit::output, "'{}': expected a file name", target_);
  const std::string prefix = "." + name + ".lepton-";
  remove_leftovers(folder, prefix);
  temporary_ = (folder / (prefix + std::to_string(::getpid()) + "-" + random_suffix())).string();
  lock_.reset(::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, through_spool_ ? 0600 : 0666));
  if (!lock_) fail(Exit::output, "{}: cannot write in {}: {}", target_, folder.string(), std::strerror(errno));
  ::flock(lock_.get(), LOCK_EX | LOCK_NB);
  if (exists && !through_spool_) ::fchmod(lock_.get(), status.st_mode & 07777);
  remember(temporary_);
}

AtomicFile::~AtomicFile() {
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  forget(temporary_);
}

void AtomicFile::commit() {
  const FileDescriptor file(::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail(Exit::output, "{}: {}", temporary_, std::strerror(errno));
  if (through_spool_) {
    FileDescriptor device;
    if (target_ != "-") {
      device.reset(::open(target_.c_str(), O_WRONLY | O_CLOEXEC));
      if (!device) fail(Exit::output, "{}: {}", target_, std::strerror(errno));
    }
    copy_to(file.get(), device ? device.get() : STDOUT_FILENO, target_ == "-" ? "standard output" : target_);
    ::unlink(temporary_.c_str());
  } else {
    if (::fsync(file.get()) != 0) fail(Exit::output, "{}: {}", target_, std::strerror(errno));
    if (::rename(temporary_.c_str(), destination_.c_str()) != 0) {
      fail(Exit::output, "{}: {}", target_, std::strerror(errno));
    }
    const fs::path parent = fs::path(destination_).parent_path();
    const FileDescriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder && ::fsync(folder.get()) != 0 && errno != EINVAL && errno != ENOTSUP) {
      fail(Exit::output, "{}: {}", target_, std::strerror(errno));
    }
  }
  forget(temporary_);
  temporary_.clear();
  lock_.reset();
}

void unlink_pending_outputs() noexcept {
  const pid_t self = ::getpid();
  for (Pending& slot : pending) {
    if (slot.owner == self) ::unlink(slot.path.data());
  }
}

}  // namespace lepton
