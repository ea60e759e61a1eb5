#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "io/files.h"
#include "push/vendors.h"

namespace lepton {

void in_parallel(size_t count, int threads, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next{0};
  std::exception_ptr first;
  std::mutex mutex;
  const auto run = [&] {
    for (size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        next = count;
        const std::lock_guard<std::mutex> hold(mutex);
        if (!first) first = std::current_exception();
      }
    }
  };
  std::vector<std::thread> others;
  const size_t wanted = std::min(count, static_cast<size_t>(std::max(threads, 1)));
  for (size_t i = 1; i < wanted; ++i) others.emplace_back(run);
  run();
  for (std::thread& thread : others) thread.join();
  if (first) std::rethrow_exception(first);
}

void move_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return;
  if (errno != EXDEV) fail(Exit::output, "{}: {}", to, std::strerror(errno));
  AtomicFile file(to);
  const FileDescriptor source = open_input(from);
  const FileDescriptor out(::open(file.path().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!out) fail(Exit::output, "{}: {}", to, std::strerror(errno));
  copy_to(source.get(), out.get(), to);
  file.commit();
  ::unlink(from.c_str());
}

}  // namespace lepton
