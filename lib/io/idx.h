#pragma once
// IDX files, the format of MNIST and Fashion-MNIST: big-endian magic and extents, then the values; plain or gzip.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/shape.h"
#include "io/files.h"

namespace lepton {

// Extents of an IDX file of unsigned bytes, or nothing if `head` (its first bytes, uncompressed) is none.
// One extent: labels. Three: gray images N H W. Four: N H W C with C 1 or 3.
std::optional<std::vector<int64_t>> idx_extents(std::span<const uint8_t> head);

// Reads the items of one IDX file in order. Error(integrity) where the file ends early or has bytes left over.
class IdxReader {
 public:
  IdxReader(FileDescriptor fd, std::string name);
  ~IdxReader();
  int64_t size() const { return count_; }            // items
  const Shape& item_shape() const { return item_; }  // {} for labels, {H,W,C} for images
  void read_next(std::vector<uint8_t>& bytes);       // the next item's item_shape().elements() bytes
  void finish();                                     // checks that nothing follows the last item
  void rewind();

 private:
  void read(std::span<uint8_t> bytes);
  struct Stream;
  std::unique_ptr<Stream> stream_;
  std::string name_;
  int64_t count_ = 0, position_ = 0;
  Shape item_;
};

}  // namespace lepton
