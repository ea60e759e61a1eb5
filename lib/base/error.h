#pragma once
// The one exception type and the exit statuses of every tool.
#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace lepton {

// What a caller's shell learns; the table of CLI exit statuses, in lepton-formats(5) and every man page.
enum class Exit : int {
  ok = 0,
  failed = 1,      // diverged, nothing learned, internal limit
  usage = 2,       // options or configuration
  bad_inputs = 3,  // too many bad inputs (prep), or some answered by an error record (infer)
  no_input = 4,    // nothing usable to read
  output = 5,      // output could not be written
  integrity = 6,   // checksum, truncated or hostile file
  mismatch = 7,    // data and model do not belong together, or not our format
  device = 8,      // device missing or out of memory
  gate = 9,        // a gate was not met
  bug = 70,        // please report
  try_later = 75,  // lock held, network
};

// What went wrong, where, and how to mend it, in one line; `status` is the exit status it leads to.
class Error : public std::runtime_error {
 public:
  Error(Exit status, const std::string& message) : std::runtime_error(message), status_(status) {}
  Exit status() const { return status_; }

 private:
  Exit status_;
};

// Thrown when whoever read our output has gone: no error, the program ends in silence, with the status of SIGPIPE.
struct BrokenPipe {};

// Throws Error with a message formatted as by fmt::format.
template <class... Args>
[[noreturn]] void fail(Exit status, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(status, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace lepton
