#pragma once
#include <cstdint>
#include <utility>

namespace lepton::cuda {

// One allocation of a policy, zeroed, released with its owner.
template <class P>
class Memory {
 public:
  Memory() = default;
  Memory(P& policy, int64_t bytes) : policy_(&policy), bytes_(bytes) {
    if (bytes == 0) return;
    data_ = policy.allocate(bytes);
    policy.zero(data_, bytes);
  }
  Memory(Memory&& other) noexcept { *this = std::move(other); }
  Memory& operator=(Memory&& other) noexcept {
    std::swap(policy_, other.policy_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() {
    if (data_ != nullptr) policy_->release(data_);
  }

  template <class T>
  T* as(int64_t byte_offset = 0) const {
    return reinterpret_cast<T*>(static_cast<char*>(data_) + byte_offset);
  }
  int64_t bytes() const { return bytes_; }

 private:
  P* policy_ = nullptr;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

// [count] of T.
template <class T, class P>
Memory<P> memory_of(P& policy, int64_t count) {
  return Memory<P>(policy, count * static_cast<int64_t>(sizeof(T)));
}

}  // namespace lepton::cuda
