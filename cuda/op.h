#pragma once
// One layer on the device. Buffers are the engine's; an op keeps only what its own backward pass needs besides.
#include <cstdint>
#include <string>
#include <vector>

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

// Values [n, sample shape] in N H W C order and their gradients, stored as T; a place for each input.
template <class T>
struct Buffers {
  std::vector<const T*> x;  // inputs
  T* y = nullptr;
  T* dy = nullptr;        // nobody reads it after the op
  std::vector<T*> dx;     // nullptr: not wanted
  std::vector<bool> add;  // dx holds another reader's share already
  void* work = nullptr;   // work_bytes() of room, 256-byte aligned, shared by all ops
};

template <class P, class T>
class Op {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  virtual int64_t work_bytes() const { return 0; }
  virtual void forward(P& policy, const Pass& pass, const Buffers<T>& b) = 0;
  virtual void backward(P& policy, const Pass& pass,
                        const Buffers<T>& b) = 0;  // sets gradients of parameters
  // After the backward pass; changes something only if verdict->go.
  virtual void commit(P&, const Pass&) {}
  virtual std::string describe() const { return {}; }
};

// What the network is trained for.
template <class P, class T>
class LossOp {
 public:
  LossOp() = default;
  LossOp(const LossOp&) = delete;
  LossOp& operator=(const LossOp&) = delete;
  virtual ~LossOp() = default;

  // Sets the gradient by the last node's values [n, classes]. Returns where the sums of weighted losses and of samples
  // classified rightly will stand, on the device.
  virtual const double* run(P& policy, int64_t n, const StepNumbers* numbers, const T* values, T* gradient) = 0;
};

}  // namespace lepton::cuda
