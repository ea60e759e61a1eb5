#include "push/state.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "io/files.h"
#include "push/hashes.h"
#include "push/scratch.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

// One file a destination and release name; its first line is the manifest it speaks of.
std::string memory_path(const std::string& folder, const std::string& destination, const std::string& release) {
  constexpr size_t kDigits = 32;
  return folder + "/" + hash_text(destination + "\n" + release).sha256.substr(0, kDigits);
}

}  // namespace

std::string default_state_folder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state && *state == '/') return std::string(state) + "/lepton/push";
  const char* home = std::getenv("HOME");
  return home && *home ? std::string(home) + "/.local/state/lepton/push" : std::string();
}

bool recall(const std::string& folder, const std::string& destination, const std::string& manifest_hash,
            Manifest& manifest) {
  const std::string path = memory_path(folder, destination, manifest.release);
  std::error_code ignored;
  if (folder.empty() || !fs::exists(path, ignored)) return false;
  try {
    const std::string text = read_text_file(path);
    const size_t line = text.find('\n');
    if (line == std::string::npos || text.substr(0, line) != manifest_hash) return false;
    parse_files(text.substr(line + 1), path, manifest);
    return true;
  } catch (const Error&) {
    manifest.files.clear();
    manifest.recipients.clear();
    return false;
  }
}

void remember(const std::string& folder, const std::string& destination, const std::string& manifest_hash,
              const Manifest& manifest) {
  if (folder.empty()) return;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(Exit::output, "{}: {}", folder, error.message());
  ::chmod(folder.c_str(), S_IRWXU);
  AtomicFile out(memory_path(folder, destination, manifest.release));
  write_text_file(out.path(), manifest_hash + "\n" + files_text(manifest));
  out.commit();
}

}  // namespace lepton
