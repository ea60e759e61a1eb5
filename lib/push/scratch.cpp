#include "push/scratch.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "io/files.h"

namespace lepton {

ScratchFolder::ScratchFolder() {
  path_ = (std::filesystem::absolute(temporary_folder()) / "lepton-push-XXXXXX").string();
  if (path_.find_first_of("*?[]{}#\n") != std::string::npos) {
    fail(Exit::usage, "TMPDIR={}: clients would take its special characters for patterns; use another folder",
         temporary_folder().string());
  }
  if (!::mkdtemp(path_.data())) {
    fail(Exit::output, "{}: no folder can be made there: {}", temporary_folder().string(), std::strerror(errno));
  }
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
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
