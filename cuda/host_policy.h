#pragma once
// The engine's device in the tests: plain C++ that is as strict as a GPU. Memory is out of the host's reach but inside
// a call of the policy, ends at a guard page and begins as NaN; launches visit their elements in an order of their own.
// An upload from pinned memory spoils its target at once and comes at the last moment, and its source must not have
// changed by then.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "cuda/budget.h"
#include "cuda/policy.h"

namespace lepton::cuda {

class HostPolicy {
 public:
  explicit HostPolicy(bool records = true) : records_work_(records) {}
  HostPolicy(const HostPolicy&) = delete;
  HostPolicy& operator=(const HostPolicy&) = delete;
  ~HostPolicy();

  void* allocate(int64_t bytes);
  void release(void* data);
  void upload(void* to, const void* from, int64_t bytes);
  void download(void* to, const void* from, int64_t bytes);
  void zero(void* data, int64_t bytes);
  void gemm(const Gemm& g);
  void finish() const { never_recorded("finish"); }
  int64_t calls() const { return launches_ + gemms_; }  // so far, of launch and gemm
  int64_t elements() const { return elements_; }        // of all launches
  std::string describe() const { return "cuda_host: every device call on the host"; }
  Budget budget;
  int64_t free_bytes() const { return kMemory - budget.used(); }

  void* allocate_pinned(int64_t bytes);
  void release_pinned(void* data);
  void upload_beside(void* to, const void* from, int64_t bytes);
  void join();
  void finish_uploads() { join(); }

  bool records() const { return records_work_; }
  int record(const std::function<void()>& work);
  void replay(int record) const;
  void forget_records() { records_.clear(); }

  template <class F>
  void launch(int64_t n, const F& f) {
    static_assert(std::is_trivially_copyable_v<F>);
    do_or_note([this, n, f] {
      elements_ += n;
      const int64_t step = stride(n), begin = n > 0 ? 7919 * ++launches_ % n : 0;
      for (int64_t k = 0; k < n; ++k) f((begin + k * step) % n);
    });
  }

 private:
  static constexpr int64_t kMemory = int64_t{4} << 30;  // what it says it has
  using Record = std::vector<std::function<void()>>;

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

  struct Upload {
    void* to;
    const void* from;
    std::vector<char> bytes;  // that stood at `from`
  };

  template <class F>
  void do_or_note(const F& f) {
    if (recording_ != nullptr) {
      recording_->push_back([this, f] {
        const Unlocked unlocked(*this);
        f();
      });
      return;
    }
    const Unlocked unlocked(*this);
    f();
  }
  void never_recorded(const char* what) const {
    if (recording_ != nullptr) fail(Exit::bug, "cuda_host: {} in work that is recorded", what);
  }
  void protect(int access);
  void check(const void* data, int64_t bytes) const;
  static int64_t stride(int64_t n);  // coprime with n, so that every index comes once

  std::map<const char*, Region> regions_;  // by the first byte handed out
  std::map<const char*, std::vector<char>> pinned_;
  std::vector<Upload> uploads_;  // not yet joined
  bool records_work_;
  std::vector<Record> records_;
  Record* recording_ = nullptr;
  int64_t launches_ = 0, gemms_ = 0, elements_ = 0;
};

}  // namespace lepton::cuda
