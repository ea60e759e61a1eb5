#pragma once
// Runs a function in a short-lived process under limits and collects what it answers.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lepton {

struct GuardLimits {
  int cpu_seconds = 10;                       // processor time of the child
  int wall_seconds = 30;                      // from start to the last byte of the answer
  int64_t memory_bytes = int64_t{1} << 30;    // address space beyond what the parent has mapped
  int64_t answer_bytes = int64_t{256} << 20;  // the longest answer that is believed
};

// What `body` writes to the descriptor it is given, run in a forked child. A child that dies, hangs or answers too much
// is Error(integrity) naming `name`. Plain fork is enough, with threads running too: glibc leaves malloc usable in the
// child, the body may use nothing else that other threads may hold, and the child leaves through _exit. Standard
// streams are closed to the body: descriptors it reads are above 2.
std::vector<uint8_t> run_guarded(const std::function<void(int out)>& body, const GuardLimits& limits,
                                 const std::string& name);

}  // namespace lepton
