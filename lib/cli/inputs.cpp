#include "cli/inputs.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "io/files.h"

namespace lepton {

void for_each_name(const std::string& list_path, char separator, const std::function<bool(const std::string&)>& take) {
  FileDescriptor file;
  if (list_path != "-") file = open_input(list_path);
  const int fd = list_path == "-" ? STDIN_FILENO : file.get();
  std::string name;
  char buffer[65536];
  for (;;) {
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
