#pragma once
// Lines of a file or of a live pipe, of bounded length.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/gzip.h"

namespace lepton {

// Files may be gzip-compressed. "-" is standard input: read as it comes where `live`, else spooled so that it can be
// read again.
class LineReader {
 public:
  // While a live pipe brings nothing, `wanted` is asked ten times a second whether to go on. Error(no_input)
  LineReader(const std::string& path, int64_t max_bytes, bool live, std::function<bool()> wanted = {});
  // The next line without its end (LF or CRLF); false at the end. A line above max_bytes is cut to that and marked
  // `too_long`. Error(integrity) for damaged gzip.
  bool next(std::string& line, bool& too_long);
  void rewind();                              // not of a live pipe
  int64_t number() const { return number_; }  // of the line read last, from 1

 private:
  size_t fill();

  std::string path_;
  size_t max_bytes_;
  std::function<bool()> wanted_;
  std::unique_ptr<GzipReader> file_;  // nullptr: standard input, live
  std::vector<uint8_t> buffer_;
  size_t at_ = 0, end_ = 0;
  int64_t number_ = 0;
};

}  // namespace lepton
