#include "io/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "io/files.h"

namespace lepton {
namespace {

using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kShadowMemory = true;  // sanitizers reserve terabytes: no limit on address space is possible
#else
constexpr bool kShadowMemory = false;
#endif

void lower_limit(int resource, rlim_t value) {
  rlimit limit{};
  const auto which = static_cast<__rlimit_resource>(resource);
  if (::getrlimit(which, &limit) != 0) ::_exit(1);
  limit.rlim_cur = limit.rlim_max = std::min(value, limit.rlim_max);
  if (::setrlimit(which, &limit) != 0) ::_exit(1);
}

// The parent's address space, which the child inherits.
rlim_t mapped_bytes() {
  const FileDescriptor file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  if (!file || ::read(file.get(), text.data(), text.size() - 1) <= 0) ::_exit(1);
  return std::strtoull(text.data(), nullptr, 10) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

[[noreturn]] void be_the_child(const std::function<void(int)>& body, const GuardLimits& limits, int out) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent's handlers tidy up the parent's files.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) {
    ::signal(signal, SIG_DFL);
  }
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) ::_exit(1);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (standard != out) ::dup2(nothing, standard);
  }
  lower_limit(RLIMIT_CORE, 0);
  lower_limit(RLIMIT_FSIZE, 0);
  lower_limit(RLIMIT_CPU, static_cast<rlim_t>(limits.cpu_seconds));
  if (!kShadowMemory) lower_limit(RLIMIT_AS, mapped_bytes() + static_cast<rlim_t>(limits.memory_bytes));
  try {
    body(out);
  } catch (...) {
    ::_exit(1);
  }
  ::_exit(0);
}

// Everything up to the end of the pipe; false where it comes too late or is too long.
bool collect(int from, const GuardLimits& limits, std::vector<uint8_t>& answer) {
  const auto deadline = Clock::now() + std::chrono::seconds(limits.wall_seconds);
  std::vector<uint8_t> buffer(size_t{1} << 16);
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{from, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || static_cast<int64_t>(answer.size()) + got > limits.answer_bytes) return false;
    if (got == 0) return true;
    answer.insert(answer.end(), buffer.begin(), buffer.begin() + got);
  }
}

}  // namespace

std::vector<uint8_t> run_guarded(const std::function<void(int)>& body, const GuardLimits& limits,
                                 const std::string& name) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail(Exit::failed, "{}: no pipe: {}", name, std::strerror(errno));
  const FileDescriptor from(ends[0]);
  FileDescriptor to(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) fail(Exit::failed, "{}: no process to read it: {}", name, std::strerror(errno));
  if (child == 0) be_the_child(body, limits, to.get());
  to.reset();
  std::vector<uint8_t> answer;
  const bool whole = collect(from.get(), limits, answer);
  if (!whole) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!whole) {
    fail(Exit::integrity, "{}: damaged or hostile: reading its structure ran beyond {} s or {} MiB", name,
         limits.wall_seconds, limits.answer_bytes >> 20);
  }
  if (status != 0) {
    fail(Exit::integrity, "{}: damaged or hostile: reading its structure failed ({})", name,
         WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status)) : "out of bounds");
  }
  return answer;
}

}  // namespace lepton
