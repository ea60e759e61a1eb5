#include "io/gzip.h"

#include <unistd.h>
#include <zlib.h>

#include "base/error.h"

namespace lepton {

GzipReader::GzipReader(FileDescriptor fd, std::string name) : name_(std::move(name)) {
  const int copy = fd ? ::dup(fd.get()) : -1;
  if (copy >= 0 && ::lseek(copy, 0, SEEK_SET) == 0) stream_ = ::gzdopen(copy, "rb");
  if (stream_ == nullptr) fail(Exit::failed, "{}: cannot be read", name_);
  ::gzbuffer(stream_, 1U << 17);
}

GzipReader::~GzipReader() { ::gzclose(stream_); }

size_t GzipReader::read(std::span<uint8_t> bytes) {
  size_t filled = 0;
  while (filled < bytes.size()) {
    const auto wanted = static_cast<unsigned>(std::min(bytes.size() - filled, size_t{1} << 24));
    const int got = ::gzread(stream_, bytes.data() + filled, wanted);
    int code = Z_OK;
    const char* why = ::gzerror(stream_, &code);
    // A stream cut short is reported as Z_BUF_ERROR only once its last byte has been handed over.
    if (got < 0 || code == Z_BUF_ERROR || code == Z_DATA_ERROR) {
      fail(Exit::integrity, "{}: the compressed file is damaged or cut short: {}", name_, why);
    }
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  return filled;
}

void GzipReader::rewind() {
  if (::gzrewind(stream_) != 0) fail(Exit::integrity, "{}: cannot be read a second time", name_);
}

std::vector<uint8_t> peek(const FileDescriptor& fd, size_t count, const std::string& name) {
  std::vector<uint8_t> head(count);
  GzipReader reader(FileDescriptor(::dup(fd.get())), name);
  head.resize(reader.read(head));
  ::lseek(fd.get(), 0, SEEK_SET);
  return head;
}

}  // namespace lepton
