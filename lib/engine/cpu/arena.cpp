#include "engine/cpu/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace lepton::cpu {

AlignedFloats::AlignedFloats(int64_t count) : size_(count) {
  constexpr size_t kHuge = size_t{2} << 20;
  const size_t bytes = static_cast<size_t>(std::max<int64_t>(count, 1)) * sizeof(float);
  const size_t alignment = bytes >= kHuge ? kHuge : 64;
  const size_t padded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, padded);
  if (memory == nullptr) {
    fail(Exit::device, "cpu: no memory for {}; use a smaller --batch or network",
         human_bytes(static_cast<int64_t>(bytes)));
  }
  if (alignment == kHuge) madvise(memory, padded, MADV_HUGEPAGE);
  std::memset(memory, 0, padded);
  memory_.reset(static_cast<float*>(memory));
}

void AlignedFloats::Free::operator()(float* pointer) const { std::free(pointer); }

int Arena::add(int64_t floats) {
  PlannedBuffer buffer;
  buffer.bytes = floats * static_cast<int64_t>(sizeof(float));
  buffers_.push_back(buffer);
  return static_cast<int>(buffers_.size()) - 1;
}

void Arena::touch(int buffer, int time) {
  PlannedBuffer& b = buffers_[static_cast<size_t>(buffer)];
  if (b.first < 0 || time < b.first) b.first = time;
  b.last = std::max(b.last, time);
}

void Arena::plan() { memory_ = AlignedFloats(plan_arena(buffers_) / static_cast<int64_t>(sizeof(float))); }

float* Arena::at(int buffer) const {
  return memory_.data() + buffers_[static_cast<size_t>(buffer)].offset / static_cast<int64_t>(sizeof(float));
}

}  // namespace lepton::cpu
