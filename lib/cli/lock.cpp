#include "cli/lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"

namespace lepton {

Lock::Lock(const std::string& path, double wait_seconds) {
  if (path.empty()) return;
  file_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file_) fail(Exit::output, "--lock {}: {}", path, std::strerror(errno));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(wait_seconds);
  while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) fail(Exit::output, "--lock {}: {}", path, std::strerror(errno));
    if (std::chrono::steady_clock::now() >= deadline) {
      fail(Exit::try_later, "--lock {}: another run holds it; try again later, or wait with --lock-wait SECONDS", path);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

namespace {

std::string make_escaped(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '#' || c == '\\' || c == ':') out += '\\';
    if (c == '$') out += '$';
    out += c;
  }
  return out;
}

}  // namespace

void write_depfile(const std::string& path, const std::string& target, const std::vector<std::string>& inputs) {
  if (path.empty()) return;
  std::string text = make_escaped(target) + ":";
  for (const std::string& input : inputs) {
    if (input != "-") text += " \\\n  " + make_escaped(input);
  }
  text += '\n';
  AtomicFile file(path);
  FileDescriptor out(::open(file.path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!out) fail(Exit::output, "--depfile {}: {}", path, std::strerror(errno));
  write_all(out.get(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, path);
  out.reset();
  file.commit();
}

}  // namespace lepton
