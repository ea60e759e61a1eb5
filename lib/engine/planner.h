#pragma once
// Places buffers of known lifetime in one arena: buffers that never live at the same time share bytes.
#include <cstdint>
#include <vector>

namespace lepton {

struct PlannedBuffer {
  int64_t bytes = 0;
  int first = -1, last = -1;  // first and last moment of use; -1 = never used
  int64_t offset = 0;         // answer, a multiple of the alignment
};

// Fills in the offsets and returns the arena's size in bytes. Largest buffers first, each at the lowest offset that is
// free for its whole life. `alignment` is a power of two.
int64_t plan_arena(std::vector<PlannedBuffer>& buffers, int64_t alignment = 64);

}  // namespace lepton
