#pragma once
// The number of OpenMP threads, which oneDNN and the engine's own loops share.

namespace lepton::cpu {

// Sets the number of threads for its life; 0 leaves it.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

int thread_count();   // of the next parallel loop
int thread_number();  // of the calling thread, from 0

// "GOMP_SPINCOUNT=N", how long waiting threads spin, where it was chosen here; empty where the user chose, or nobody.
const char* spin_setting();

}  // namespace lepton::cpu
