#include "engine/cpu/threads.h"

// Declared here, not through omp.h: that header comes with the compiler and a checker built on another has none.
extern "C" {
int omp_get_max_threads();
int omp_get_thread_num();
void omp_set_num_threads(int threads);
}

namespace lepton::cpu {
ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) {
  if (threads > 0) omp_set_num_threads(threads);
}

ThreadScope::~ThreadScope() { omp_set_num_threads(before_); }

int thread_count() { return omp_get_max_threads(); }

int thread_number() { return omp_get_thread_num(); }

}  // namespace lepton::cpu
