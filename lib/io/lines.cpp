#include "io/lines.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace lepton {
namespace {
constexpr size_t kBufferBytes = size_t{1} << 16;
constexpr int kPollMilliseconds = 100;
}  // namespace

LineReader::LineReader(const std::string& path, int64_t max_bytes, bool live, std::function<bool()> wanted)
    : path_(path), max_bytes_(static_cast<size_t>(max_bytes)), wanted_(std::move(wanted)), buffer_(kBufferBytes) {
  if (path != "-" || !live) file_ = std::make_unique<GzipReader>(open_input(path), path);
}

size_t LineReader::fill() {
  if (file_) return file_->read(buffer_);
  pollfd waiting{STDIN_FILENO, POLLIN, 0};
  while (wanted_ && ::poll(&waiting, 1, kPollMilliseconds) == 0) {
    if (!wanted_()) return 0;
  }
  ssize_t got = 0;
  do {
    got = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) fail(Exit::no_input, "standard input: {}", std::strerror(errno));
  return static_cast<size_t>(got);
}

bool LineReader::next(std::string& line, bool& too_long) {
  line.clear();
  size_t total = 0;
  bool any = false;
  for (;;) {
    if (at_ == end_) {
      at_ = 0;
      end_ = fill();
      if (end_ == 0) break;
    }
    any = true;
    const auto* begin = reinterpret_cast<const char*>(buffer_.data()) + at_;
    const auto* newline = static_cast<const char*>(std::memchr(begin, '\n', end_ - at_));
    const size_t length = newline != nullptr ? static_cast<size_t>(newline - begin) : end_ - at_;
    // One byte above the limit is kept for the CR that may stand there.
    line.append(begin, std::min(length, max_bytes_ + 1 - line.size()));
    total += length;
    at_ += length + (newline != nullptr ? 1 : 0);
    if (newline != nullptr) break;
  }
  if (!any) return false;
  ++number_;
  if (total == line.size() && line.ends_with('\r')) line.pop_back();
  too_long = total > max_bytes_ + 1 || line.size() > max_bytes_;
  line.resize(std::min(line.size(), max_bytes_));
  return true;
}

void LineReader::rewind() {
  file_->rewind();
  at_ = end_ = 0;
  number_ = 0;
}

}  // namespace lepton
