#pragma once
// The first pass of prep: what every input is, whose class and split it belongs to. 56 bytes a sample at most.
#include <string>
#include <utility>
#include <vector>

#include "data/prep.h"
#include "data/prep_sums.h"

namespace lepton {

class Medium;

enum class RowState : uint8_t { good, bad, foreign, ignored };  // foreign: of another kind

// One input, in the order of the sources. The id is not kept: the second pass meets it again.
struct Row {
  Digest digest{};
  int32_t group = 0;   // of its source
  int32_t label = -1;  // class
  uint16_t source = 0;
  Split split = Split::train;
  RowState state = RowState::good;
  bool divided = false;  // its split was not given but divided
};

struct RowError {
  size_t row;  // kNoRow: a folder or the like
  InputError error;
};
constexpr size_t kNoRow = ~size_t{0};

struct Scan {
  std::vector<Row> rows;
  std::vector<size_t> first_row;  // of each source
  std::vector<uint64_t> keys;     // salted hash of each row's --split-key; empty without one
  std::vector<RowError> errors;
  std::vector<std::string> classes;
};

// Reads everything once: content hashes, headers, labels, given splits. Splits of rows marked `divided` are for
// assign_splits().
Scan scan_sources(const std::vector<std::unique_ptr<Source>>& sources, Medium& medium, const PrepOptions& options,
                  const PrepHooks& hooks);

// Divides what has no split of its own.
void assign_splits(Scan& scan, const PrepOptions& options, const PrepHooks& hooks);

// Blocks of items as both passes read them.
struct ItemBlock {
  struct Entry {
    Item item;
    size_t row = 0;
    Row scanned;
    int64_t width = 0, height = 0, channels = 0;  // of an image
    int64_t rate = 0, frames = 0;                 // of a recording
    std::vector<uint8_t> x;
    ChannelSums sums;          // of an image
    bool lost_colour = false;  // of an image, as Prepared has it
  };
  std::vector<Entry> entries;
  size_t used = 0;
};

// Fills blocks from all sources, one after the other; rows for which `wanted` is false are passed over.
class BlockFiller {
 public:
  BlockFiller(const std::vector<std::unique_ptr<Source>>& sources, std::function<bool(size_t row)> wanted);
  bool fill(ItemBlock& block);
  const std::vector<size_t>& first_row() const { return first_row_; }
  size_t rows() const { return row_; }

 private:
  const std::vector<std::unique_ptr<Source>>& sources_;
  std::function<bool(size_t)> wanted_;
  std::vector<size_t> first_row_;
  size_t source_ = 0, row_ = 0;
};

}  // namespace lepton
