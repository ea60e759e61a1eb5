#pragma once
// What a plan is made of: operations that read and write buffers of its arena.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/batch.h"
#include "engine/cpu/arena.h"
#include "net/graph.h"

namespace lepton::cpu {

// What changes from call to call.
struct Run {
  const Batch* batch = nullptr;
  int64_t n = 0;                     // samples in this call
  int64_t step = 0;                  // names dropout's random numbers
  const int64_t* lengths = nullptr;  // texts: tokens of each sample up to its padding, 0 from n on
};

// Buffers are those of a plan compiled for `batch` samples. Operations with sample-wise results write zeros for the
// samples from n to batch, so that what reads them sees neither stale nor non-finite numbers.
class Op {
 public:
  virtual ~Op() = default;
  virtual void bind(const Arena&) {}  // called once, when the arena is planned
  virtual void forward(const Run& run) = 0;
  virtual void backward(const Run&) {}
  virtual void commit() {}  // takes over the last pass's batch statistics, once it is known to be finite
  virtual std::string describe() const { return ""; }  // algorithms chosen; "" if there was no choice

  NodeId node = 0;
  std::vector<int> forward_buffers, backward_buffers;  // everything touched, for lifetimes
};

}  // namespace lepton::cpu
