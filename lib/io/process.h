#pragma once
// One child process: argv, never a shell; a process group of its own with a deadline; what it wrote.
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lepton {

struct ProcessOptions {
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
  std::string input;                                             // what it reads on standard input
  double timeout_seconds = 600;
  std::function<bool()> stop;  // asked ten times a second whether to end it early; empty = never
};

struct ProcessResult {
  int status = 0;          // exit status, or 128 + signal
  bool timed_out = false;  // ended by us: TERM to its group, KILL five seconds later
  bool stopped = false;    // ended by us because stop() said so
  std::string out;         // at most 256 MiB
  std::string err;         // the last 64 KiB
};

// Runs argv[0], found in PATH, to its end. SIGINT, SIGTERM and SIGPIPE are at their defaults in the child; it is sent
// TERM when we die. Error(usage) "no NAME in PATH" when there is no such program.
ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options = {});

// argv as a line a POSIX shell reads back as the same words.
std::string shell_quoted(const std::vector<std::string>& argv);
std::string shell_quoted(const std::string& word);

}  // namespace lepton
