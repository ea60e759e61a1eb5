#pragma once
// Reading a file that may or may not be gzip-compressed.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/files.h"

struct gzFile_s;

namespace lepton {

// A seekable descriptor read from its beginning; what is not gzip passes through unchanged.
class GzipReader {
 public:
  GzipReader(FileDescriptor fd, std::string name);
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  ~GzipReader();
  size_t read(std::span<uint8_t> bytes);  // bytes got, fewer only at the end; Error(integrity) where damaged
  void rewind();

 private:
  gzFile_s* stream_ = nullptr;
  std::string name_;
};

// The first `count` bytes (fewer in a shorter file) below a gzip compression if there is one; `fd` stays as it was.
std::vector<uint8_t> peek(const FileDescriptor& fd, size_t count, const std::string& name);

}  // namespace lepton
