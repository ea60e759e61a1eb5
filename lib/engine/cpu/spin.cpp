// How long OpenMP threads spin for the next loop before they sleep. libgomp spins some milliseconds: on cores that
// other programs share too (make -j of several trainings), each then waits for threads that do nothing, and all become
// ten times slower and worse. Spins of some ten microseconds cost little there, and little on a quiet machine.
//
// libgomp reads the environment once, when it is loaded, before every constructor of ours. Only .preinit_array comes
// earlier, but a setenv there is lost: libc takes the environment from the stack afterwards. So one entry on the stack,
// which no library reads while it is loaded, lends its place until the libraries are.
#include "engine/cpu/threads.h"

// Sanitizers are not ready so early: there nothing is lent.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LEPTON_NOTHING_LENT
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LEPTON_NOTHING_LENT
#endif
#endif

namespace lepton::cpu {
namespace {

char spin_entry[] = "GOMP_SPINCOUNT=1000";
char** lent = nullptr;  // the place of an entry
char* owner = nullptr;  // the entry itself

constexpr const char* kDecided[] = {"GOMP_SPINCOUNT=", "OMP_WAIT_POLICY="};
constexpr const char* kLenders[] = {"_=", "OLDPWD=", "SHLVL=", "PWD=", "LOGNAME=", "USER=", "HOME=", "PATH="};

bool begins(const char* text, const char* with) {
  while (*with != '\0' && *text == *with) ++text, ++with;
  return *with == '\0';
}

char** entry_of(char** environment, const char* name) {
  for (char** entry = environment; *entry != nullptr; ++entry) {
    if (begins(*entry, name)) return entry;
  }
  return nullptr;
}

[[maybe_unused]] void lend(int, char**, char** environment) {
  for (const char* name : kDecided) {
    if (entry_of(environment, name) != nullptr) return;
  }
  for (const char* name : kLenders) {
    lent = entry_of(environment, name);
    if (lent == nullptr) continue;
    owner = *lent;
    *lent = spin_entry;
    return;
  }
}

#ifndef LEPTON_NOTHING_LENT
__attribute__((section(".preinit_array"), used)) void (*lend_first)(int, char**, char**) = lend;
#endif

__attribute__((constructor(101))) void give_back() {
  if (lent != nullptr) *lent = owner;
}

}  // namespace

const char* spin_setting() { return lent == nullptr ? "" : spin_entry; }

}  // namespace lepton::cpu
