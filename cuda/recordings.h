#pragma once
// Training steps as the policy records them. All of a step's work depends on the batch's size and, otherwise, on
// nothing but device memory (step.h), so each size is recorded once.
#include <cstdint>
#include <map>
#include <set>

namespace lepton::cuda {

template <class P>
class Recordings {
 public:
  explicit Recordings(P& policy) : policy_(policy) {}

  // Does the work for a batch of n: launch by launch the first time, when the device gets to know kernels and products;
  // recorded and replayed from the second on. An epoch has batches of two sizes: others stay as they are.
  template <class F>
  void run(int64_t n, const F& work) {
    if (!policy_.records() || seen_.insert(n).second) return work();
    auto found = recorded_.find(n);
    if (found == recorded_.end()) {
      if (recorded_.size() == kMost) return work();
      found = recorded_.emplace(n, policy_.record(work)).first;
    }
    policy_.replay(found->second);
  }

  // What has been recorded may go: another run begins.
  void clear() {
    seen_.clear();
    recorded_.clear();
    policy_.forget_records();
  }

 private:
  static constexpr size_t kMost = 2;
  P& policy_;
  std::set<int64_t> seen_;
  std::map<int64_t, int> recorded_;  // size, number of the record
};

}  // namespace lepton::cuda
