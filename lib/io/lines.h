#pragma once
// Lines of bounded length.
#include <cstdint>
#include <string>
#include <vector>

#include "io/bytes.h"

namespace lepton {

class LineReader {
 public:
  LineReader(ByteSource bytes, int64_t max_bytes);
  // The next line without its end (LF or CRLF), as soon as it has come; false at the end. A line above max_bytes is cut
  // to that and marked `too_long`. Errors of the source.
  bool next(std::string& line, bool& too_long);
  int64_t number() const { return number_; }  // of the line read last, from 1

 private:
  ByteSource bytes_;
  size_t max_bytes_;
  std::vector<uint8_t> buffer_;
  size_t at_ = 0, end_ = 0;
  int64_t number_ = 0;
};

}  // namespace lepton
