#pragma once
// How much memory a policy gives out.
#include <cstdint>
#include <limits>

#include "base/error.h"
#include "base/text.h"

namespace lepton::cuda {

class Budget {
 public:
  // What is used may reach so much; 0: all there is.
  void limit(int64_t bytes) { limit_ = bytes; }
  // Before an allocation. Error(device) where it would pass the limit.
  void take(int64_t bytes) {
    refused_ = bytes > left();
    if (refused_) {
      fail(Exit::device, "cuda: out of memory: {} wanted, {} of a limit of {} free; lower --batch", human_bytes(bytes),
           human_bytes(left()), human_bytes(limit_));
    }
    used_ += bytes;
  }
  void give_back(int64_t bytes) { used_ -= bytes; }

  int64_t used() const { return used_; }
  int64_t left() const {
    if (limit_ == 0) return std::numeric_limits<int64_t>::max();
    return used_ < limit_ ? limit_ - used_ : 0;
  }
  // Whether the latest allocation failed by the limit, and not for want of memory.
  bool refused() const { return refused_; }

 private:
  int64_t limit_ = 0, used_ = 0;
  bool refused_ = false;
};

}  // namespace lepton::cuda
