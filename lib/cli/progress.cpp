#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "cli/cli.h"

namespace lepton {

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) != 0; }
bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) != 0; }

Progress::Progress(std::string what)
    : what_(std::move(what)), terminal_(stderr_is_terminal()), last_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\033[K", message_stream());
}

void Progress::update(int64_t done, int64_t total, const std::string& beside) {
  if (verbosity() == Verbosity::quiet) return;
  const auto now = std::chrono::steady_clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(60'000);
  if (now - last_ < pause) return;
  last_ = now;
  const std::string count = with_commas(done) + (total > 0 ? "/" + with_commas(total) : "");
  if (!terminal_) return note(what_ + ": " + count + (beside.empty() ? "" : ", " + beside));
  std::string bar;
  if (total > 0) {
    const auto filled = static_cast<size_t>(std::clamp<int64_t>(done * 20 / total, 0, 20));
    bar = " [" + std::string(filled, '=') + std::string(20 - filled, ' ') + "]";
  }
  std::fprintf(message_stream(), "\r\033[K%s%s %s %s", what_.c_str(), bar.c_str(), count.c_str(), beside.c_str());
  std::fflush(message_stream());
  shown_ = true;
}

}  // namespace lepton
