#pragma once
// One layer on the device. Buffers are the engine's; an op keeps only what its own backward pass needs besides.
#include <array>
#include <cstdint>
#include <string>

#include "cuda/step.h"

namespace lepton::cuda {

// A training pass is recorded and replayed: what else changes from step to step, ops read on the device.
struct Pass {
  int64_t n = 0;                         // samples
  bool training = false;                 // batch statistics and dropout
  bool activate = true;                  // with the activation that is computed with the layer (fusion.h)
  bool crop = true;                      // without what a pool leaves out (fusion.h)
  const StepNumbers* numbers = nullptr;  // on the device
  const Verdict* verdict = nullptr;      // on the device, there from commit() on
};

// Values [n, sample shape] in N H W C order and their gradients, stored as T.
template <class T>
struct Buffers {
  std::array<const T*, 2> x{};  // inputs
  T* y = nullptr;
  T* dy = nullptr;            // nobody reads it after the op
  std::array<T*, 2> dx{};     // nullptr: not wanted
  std::array<bool, 2> add{};  // dx holds another reader's share already
  void* work = nullptr;       // work_bytes() of room, 256-byte aligned, shared by all ops
};

template <class P, class T>
class Op {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  virtual int64_t work_bytes() const { return 0; }
  virtual int64_t kept_bytes() const { return 0; }  // held by the op itself
  virtual void forward(P& policy, const Pass& pass, const Buffers<T>& b) = 0;
  virtual void backward(P& policy, const Pass& pass,
                        const Buffers<T>& b) = 0;  // sets gradients of parameters
  // After the backward pass; changes something only if verdict->go.
  virtual void commit(P&, const Pass&) {}
  virtual std::string describe() const { return {}; }
};

}  // namespace lepton::cuda
