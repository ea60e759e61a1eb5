#include "engine/planner.h"

#include <algorithm>
#include <numeric>

namespace lepton {
namespace {

bool live_together(const PlannedBuffer& a, const PlannedBuffer& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

int64_t plan_arena(std::vector<PlannedBuffer>& buffers, int64_t alignment) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  const auto padded = [&](int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; };
  std::vector<const PlannedBuffer*> placed;  // by offset
  int64_t size = 0;
  for (const size_t index : order) {
    PlannedBuffer& buffer = buffers[index];
    if (buffer.first < 0 || buffer.bytes == 0) continue;
    int64_t offset = 0;
    for (const PlannedBuffer* other : placed) {
      if (!live_together(buffer, *other)) continue;
      if (offset + padded(buffer.bytes) <= other->offset) break;
      offset = std::max(offset, other->offset + padded(other->bytes));
    }
    buffer.offset = offset;
    size = std::max(size, offset + padded(buffer.bytes));
    const auto where = std::upper_bound(placed.begin(), placed.end(), offset,
                                        [](int64_t o, const PlannedBuffer* b) { return o < b->offset; });
    placed.insert(where, &buffer);
  }
  return size;
}

}  // namespace lepton
