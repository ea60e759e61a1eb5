#include "io/lines.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lepton {
namespace {
constexpr size_t kBufferBytes = size_t{1} << 16;
}

LineReader::LineReader(ByteSource bytes, int64_t max_bytes)
    : bytes_(std::move(bytes)), max_bytes_(static_cast<size_t>(max_bytes)), buffer_(kBufferBytes) {}

bool LineReader::next(std::string& line, bool& too_long) {
  line.clear();
  size_t total = 0;
  for (bool any = false;; any = true) {
    if (at_ == end_) {
      at_ = 0;
      end_ = bytes_(buffer_);
      if (end_ == 0 && !any) return false;
      if (end_ == 0) break;
    }
    const auto* begin = reinterpret_cast<const char*>(buffer_.data()) + at_;
    const auto* newline = static_cast<const char*>(std::memchr(begin, '\n', end_ - at_));
    const size_t length = newline != nullptr ? static_cast<size_t>(newline - begin) : end_ - at_;
    // One byte above the limit is kept for the CR that may stand there.
    line.append(begin, std::min(length, max_bytes_ + 1 - line.size()));
    total += length;
    at_ += length + (newline != nullptr ? 1 : 0);
    if (newline != nullptr) break;
  }
  ++number_;
  if (total == line.size() && line.ends_with('\r')) line.pop_back();
  too_long = total > max_bytes_ + 1 || line.size() > max_bytes_;
  line.resize(std::min(line.size(), max_bytes_));
  return true;
}

}  // namespace lepton
