#include "cli/inputs.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "io/files.h"

namespace lepton {
namespace {
constexpr int kPollMilliseconds = 100;
}

void for_each_name(const std::string& list_path, char separator, const std::function<bool(const std::string&)>& take,
                   const std::function<bool()>& wanted) {
  FileDescriptor file;
  if (list_path != "-") {  // not open_input: a named pipe is to be read as it comes
    file.reset(::open(list_path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) fail(Exit::no_input, "{}: {}", list_path, std::strerror(errno));
  }
  const int fd = list_path == "-" ? STDIN_FILENO : file.get();
  std::string name;
  char buffer[65536];
  for (;;) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, kPollMilliseconds) == 0) {
      if (!wanted()) return;
      continue;
    }
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Exit::no_input, "{}: {}", list_path, std::strerror(errno));
    if (got == 0) break;
    for (ssize_t i = 0; i < got; ++i) {
      if (buffer[i] != separator) {
        name += buffer[i];
        continue;
      }
      if (!name.empty() && !take(name)) return;
      name.clear();
    }
  }
  if (!name.empty()) take(name);
}

std::vector<std::string> read_names(const std::string& list_path, char separator) {
  std::vector<std::string> names;
  for_each_name(list_path, separator, [&](const std::string& name) {
    names.push_back(name);
    return true;
  });
  return names;
}

}  // namespace lepton
