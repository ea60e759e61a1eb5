#include "io/idx.h"

#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "io/gzip.h"

namespace lepton {
namespace {

constexpr uint8_t kUnsignedBytes = 0x08;
constexpr int64_t kMostElements = int64_t{1} << 40;
constexpr int64_t kMostItemBytes = int64_t{1} << 28;  // a header may declare anything: one item is held in memory

uint32_t big_endian(std::span<const uint8_t> b) {
  return (static_cast<uint32_t>(b[0]) << 24) | (static_cast<uint32_t>(b[1]) << 16) |
         (static_cast<uint32_t>(b[2]) << 8) | b[3];
}

}  // namespace

std::optional<std::vector<int64_t>> idx_extents(std::span<const uint8_t> head) {
  if (head.size() < 8 || head[0] != 0 || head[1] != 0 || head[2] != kUnsignedBytes) return std::nullopt;
  const size_t axes = head[3];
  if ((axes != 1 && axes != 3 && axes != 4) || head.size() < 4 + 4 * axes) return std::nullopt;
  std::vector<int64_t> extents;
  int64_t elements = 1;
  for (size_t axis = 0; axis < axes; ++axis) {
    extents.push_back(big_endian(head.subspan(4 + 4 * axis)));
    if (axis > 0 && extents[axis] == 0) return std::nullopt;
    if (extents[axis] > 0 && elements > kMostElements / extents[axis]) return std::nullopt;
    elements *= std::max<int64_t>(1, extents[axis]);
  }
  if (axes > 1 && elements / std::max<int64_t>(1, extents[0]) > kMostItemBytes) return std::nullopt;
  if (axes == 4 && extents[3] != 1 && extents[3] != 3) return std::nullopt;
  return extents;
}

struct IdxReader::Stream {
  GzipReader gzip;
};

IdxReader::IdxReader(FileDescriptor fd, std::string name) : name_(std::move(name)) {
  const std::vector<uint8_t> head = peek(fd, 20, name_);
  const auto extents = idx_extents(head);
  if (!extents) fail(Exit::no_input, "{}: is not an IDX file of unsigned bytes with 1, 3 or 4 extents", name_);
  count_ = (*extents)[0];
  if (extents->size() > 1) {
    item_ = {(*extents)[1], (*extents)[2], extents->size() == 4 ? (*extents)[3] : 1};
  }
  stream_.reset(new Stream{GzipReader(std::move(fd), name_)});
  rewind();
}

IdxReader::~IdxReader() = default;

void IdxReader::read(std::span<uint8_t> bytes) {
  if (stream_->gzip.read(bytes) < bytes.size()) {
    fail(Exit::integrity, "{}: ends after {} of {} items", name_, with_commas(position_), with_commas(count_));
  }
}

void IdxReader::rewind() {
  stream_->gzip.rewind();
  position_ = 0;
  std::vector<uint8_t> header(4);
  read(header);
  header.resize(4 * size_t{header[3]});
  read(header);
}

void IdxReader::read_next(std::vector<uint8_t>& bytes) {
  bytes.resize(static_cast<size_t>(item_.elements()));
  read(bytes);
  ++position_;
}

void IdxReader::finish() {
  uint8_t extra = 0;
  if (stream_->gzip.read({&extra, 1}) != 0) {
    fail(Exit::integrity, "{}: holds more than the {} items it declares", name_, with_commas(count_));
  }
}

}  // namespace lepton
