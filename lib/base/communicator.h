#pragma once
// How ranks of one run speak to each other; without one, a run is alone.
#include <span>

namespace lepton {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Replaces values by their sum over all ranks, added in rank order so that it repeats bit for bit.
  virtual void sum(std::span<float> values) = 0;
  // Copies rank 0's values to every rank.
  virtual void broadcast(std::span<float> values) = 0;
};

}  // namespace lepton
