#pragma once
// The engine's device in the tests: plain C++ that is as strict as a GPU. Memory is out of the host's reach but inside
// a call of the policy, ends at a guard page and begins as NaN; launches visit their elements in an order of their own.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <numeric>
#include <string>
#include <type_traits>

#include "base/error.h"
#include "cuda/policy.h"

namespace lepton::cuda {

class HostPolicy {
 public:
  HostPolicy() = default;
  HostPolicy(const HostPolicy&) = delete;
  HostPolicy& operator=(const HostPolicy&) = delete;
  ~HostPolicy();

  void* allocate(int64_t bytes);
  void release(void* data);
  void upload(void* to, const void* from, int64_t bytes);
  void download(void* to, const void* from, int64_t bytes);
  void zero(void* data, int64_t bytes);
  void gemm(const Gemm& g);
  void finish() const {}
  int64_t elements() const { return elements_; }  // of all launches
  std::string describe() const { return "cuda_host: every device call on the host"; }

  template <class F>
  void launch(int64_t n, const F& f) {
    static_assert(std::is_trivially_copyable_v<F>);
    const Unlocked unlocked(*this);
    elements_ += n;
    const int64_t step = stride(n), begin = n > 0 ? 7919 * ++launches_ % n : 0;
    for (int64_t k = 0; k < n; ++k) f((begin + k * step) % n);
  }

 private:
  struct Region {
    char* pages = nullptr;
    int64_t bytes = 0, used = 0;  // before the guard page; asked for
  };
  // Device memory is readable and writable while one lives.
  class Unlocked {
   public:
    explicit Unlocked(HostPolicy& policy) : policy_(policy) { policy_.protect(PROT_READ | PROT_WRITE); }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;
    ~Unlocked() { policy_.protect(PROT_NONE); }

   private:
    HostPolicy& policy_;
  };

  void protect(int access);
  void check(const void* data, int64_t bytes) const;
  static int64_t stride(int64_t n);  // coprime with n, so that every index comes once

  std::map<const char*, Region> regions_;  // by the first byte handed out
  int64_t launches_ = 0, elements_ = 0;
};

}  // namespace lepton::cuda
