#pragma once
// Aligned memory, and the one arena that holds everything a plan reads and writes besides parameters.
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/planner.h"

namespace lepton::cpu {

// Zeroed floats on a 2 MiB boundary where large (so that the kernel may use huge pages), else on 64 bytes.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(int64_t count);  // throws Error(device) when memory is short
  float* data() const { return memory_.get(); }
  int64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* pointer) const;
  };
  std::unique_ptr<float, Free> memory_;
  int64_t size_ = 0;
};

// Buffers are added and touched while a plan is built; after plan() their places are fixed.
class Arena {
 public:
  int add(int64_t floats);
  void touch(int buffer, int time);
  void plan();
  float* at(int buffer) const;
  template <class T>
  T* as(int buffer) const {  // nullptr for -1
    return buffer < 0 ? nullptr : reinterpret_cast<T*>(at(buffer));
  }
  int64_t bytes() const { return memory_.size() * static_cast<int64_t>(sizeof(float)); }

 private:
  std::vector<PlannedBuffer> buffers_;
  AlignedFloats memory_;
};

}  // namespace lepton::cpu
