#include "io/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "io/files.h"

namespace lepton {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostOutput = size_t{256} << 20;
constexpr size_t kMostErrors = size_t{64} << 10;
constexpr auto kGrace = std::chrono::seconds(5);           // between TERM and KILL
constexpr auto kPipeGrace = std::chrono::seconds(1);       // for pipes that workers hold when their leader has ended
constexpr auto kTick = std::chrono::milliseconds(100);     // how often stop() and the deadline are looked at
constexpr auto kReapTick = std::chrono::milliseconds(10);  // how often its end is, once its pipes are closed

std::string found_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* variable = std::getenv("PATH");
  for (const std::string& folder : split(variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin", ':')) {
    const std::string path = (folder.empty() ? "." : folder) + "/" + name;
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0) return path;
  }
  fail(Exit::usage, "no {} in PATH", name);
}

std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> merged;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const auto replaced = [&](const auto& pair) { return pair.first == name; };
    if (std::none_of(added.begin(), added.end(), replaced)) merged.emplace_back(text);
  }
  for (const auto& [name, value] : added) merged.push_back(fmt::format("{}={}", name, value));
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  list.reserve(words.size() + 1);
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

// Out of the way of the child's 0, 1 and 2, which may be free here.
FileDescriptor above_standard(FileDescriptor file) {
  if (file.get() > STDERR_FILENO) return file;
  FileDescriptor moved(::fcntl(file.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!moved) fail(Exit::failed, "no file descriptor for a child process: {}", strerror(errno));
  return moved;
}

struct Pipe {
  FileDescriptor read, write;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail(Exit::failed, "no pipe for a child process: {}", strerror(errno));
    read.reset(ends[0]);
    write.reset(ends[1]);
    read = above_standard(std::move(read));
    write = above_standard(std::move(write));
  }
};

// A file rather than a pipe: nobody has to feed it, and a child that does not read costs us no SIGPIPE.
FileDescriptor standard_input(const std::string& text) {
  if (text.empty()) return FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  FileDescriptor file(::memfd_create("lepton-input", MFD_CLOEXEC));
  if (!file) fail(Exit::failed, "no memory for a child's input: {}", strerror(errno));
  write_all(file.get(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "input of a child");
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

// All that the child needs, made before the fork: between fork and exec only async-signal-safe calls are allowed.
struct Launch {
  const char* path;
  char* const* argv;
  char* const* environment;
  int in, out, err, report;
  pid_t parent;
};

[[noreturn]] void become(const Launch& launch) noexcept {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGQUIT}) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool orphan = ::getppid() != launch.parent;  // it died before the call above could take effect
  if (!orphan && ::dup2(launch.in, 0) >= 0 && ::dup2(launch.out, 1) >= 0 && ::dup2(launch.err, 2) >= 0) {
    ::close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);  // also what others opened carelessly
    ::execve(launch.path, launch.argv, launch.environment);
  }
  const int reason = errno;
  [[maybe_unused]] const ssize_t put = ::write(launch.report, &reason, sizeof reason);
  ::_exit(127);
}

// Ends the child's group when we die, however: `alive` is a pipe that only we can write to. The signal of become()
// comes from our death too, but reaches one process and can be put off by it. The group's number stays taken while this
// is in it, and what ends the group ends this.
[[noreturn]] void guard(pid_t group, int alive) noexcept {
  constexpr int kAlive = 3;
  ::setpgid(0, group);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_IGN);
  // All else is closed: others' pipes, whose ends are told by it, and what a reader of our output waits for.
  if (alive != kAlive) ::dup2(alive, kAlive);
  ::close_range(0, kAlive - 1, 0);
  ::close_range(kAlive + 1, UINT_MAX, 0);
  char byte = 0;
  while (::read(kAlive, &byte, 1) < 0 && errno == EINTR) {
  }
  ::kill(-group, SIGTERM);
  ::poll(nullptr, 0, static_cast<int>(std::chrono::milliseconds(kGrace).count()));
  ::kill(-group, SIGKILL);
  ::_exit(0);
}

// A child and its group; both are gone when this is.
class Child {
 public:
  Child(const std::vector<std::string>& argv, const ProcessOptions& options) {
    const std::string path = found_in_path(argv.at(0));
    std::vector<std::string> arguments = argv, environment = merged_environment(options.environment);
    const std::vector<char*> argument_list = pointers(arguments), environment_list = pointers(environment);
    const FileDescriptor in = above_standard(standard_input(options.input));
    Pipe report;
    const Launch launch{path.c_str(),     argument_list.data(), environment_list.data(), in.get(),
                        out_.write.get(), err_.write.get(),     report.write.get(),      ::getpid()};
    sigset_t all, before;
    sigfillset(&all);  // no handler of ours may run in the child
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_ = ::fork();
    if (pid_ == 0) become(launch);
    const int fork_error = errno;
    if (pid_ > 0) {
      ::setpgid(pid_, pid_);  // also here, so that a signal cannot come before the child has done it
      guard_ = ::fork();
      if (guard_ == 0) guard(pid_, alive_.read.get());
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid_ < 0) fail(Exit::try_later, "{}: cannot start a process: {}", argv[0], strerror(fork_error));
    out_.write.reset();
    err_.write.reset();
    report.write.reset();
    expect_started(report.read.get(), path);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { reap(); }

  int out() const { return out_.read.get(); }
  int err() const { return err_.read.get(); }
  void signal_group(int number) const {
    if (pid_ > 0) ::kill(-pid_, number);
  }
  // Left unreaped, so that its number, and its group's, stays its own.
  bool ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
  }
  int reap() {
    if (pid_ <= 0) return 0;
    signal_group(SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    if (guard_ > 0) ::kill(guard_, SIGKILL);  // it may not have joined the group yet
    while (guard_ > 0 && ::waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  void expect_started(int report, const std::string& path) {
    int reason = 0;
    ssize_t got = 0;
    do {
      got = ::read(report, &reason, sizeof reason);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof reason) return;
    reap();
    fail(Exit::usage, "{}: cannot be run: {}", path, strerror(reason));
  }

  Pipe out_, err_, alive_;
  pid_t pid_ = -1, guard_ = -1;
};

// Reads once; false at the end of the stream.
bool drain(int fd, std::string& into, size_t most, bool keep_end) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  into.append(buffer.data(), static_cast<size_t>(got));
  if (into.size() > most) keep_end ? void(into.erase(0, into.size() - most)) : into.resize(most);
  return got > 0;
}

// Decides when a child is to be ended: its deadline, stop(), or workers that outlive their leader.
class Watch {
 public:
  Watch(const Child& child, const ProcessOptions& options, ProcessResult& result)
      : child_(child), options_(options), result_(result) {
    const double seconds = std::clamp(options.timeout_seconds, 0.0, 1e8);
    deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  // True when nothing more is to be waited for.
  bool look(bool pipes_open) {
    const Clock::time_point now = Clock::now();
    if (child_.ended()) {
      if (end_seen_ == Clock::time_point()) end_seen_ = now;
      return !pipes_open || now >= end_seen_ + kPipeGrace;
    }
    if (killing_ == Clock::time_point()) {
      result_.timed_out = now >= deadline_;
      result_.stopped = !result_.timed_out && options_.stop && options_.stop();
      if (!result_.timed_out && !result_.stopped) return false;
      killing_ = now;
      child_.signal_group(SIGTERM);
    } else if (now >= killing_ + kGrace) {
      child_.signal_group(SIGKILL);
    }
    return false;
  }

 private:
  const Child& child_;
  const ProcessOptions& options_;
  ProcessResult& result_;
  Clock::time_point deadline_, killing_, end_seen_;
};

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) {
    if (c == '\'')
      text += "'\\''";
    else
      text += c;
  }
  return text + "'";
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options) {
  ProcessResult result;
  Child child(argv, options);
  Watch watch(child, options, result);
  std::array<pollfd, 2> streams{pollfd{child.out(), POLLIN, 0}, pollfd{child.err(), POLLIN, 0}};
  Clock::time_point next_look = Clock::now();
  for (;;) {
    const bool open = streams[0].fd >= 0 || streams[1].fd >= 0;
    if (!open || Clock::now() >= next_look) {
      if (watch.look(open)) break;
      next_look = Clock::now() + kTick;
    }
    if (::poll(streams.data(), streams.size(), static_cast<int>((open ? kTick : kReapTick).count())) <= 0) continue;
    if (streams[0].revents != 0 && !drain(streams[0].fd, result.out, kMostOutput, false)) streams[0].fd = -1;
    if (streams[1].revents != 0 && !drain(streams[1].fd, result.err, kMostErrors, true)) streams[1].fd = -1;
  }
  result.status = child.reap();
  return result;
}

std::string shell_quoted(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,=-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  return quoted(word);
}

std::string shell_quoted(const std::vector<std::string>& argv) {
  std::string line;
  for (const std::string& word : argv) {
    // "a=b" as the first word would set a variable.
    const bool assignment = line.empty() && word.find('=') != std::string::npos;
    if (!line.empty()) line += ' ';
    line += assignment ? quoted(word) : shell_quoted(word);
  }
  return line;
}

}  // namespace lepton
