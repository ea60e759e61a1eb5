#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "cli/cli.h"
#include "cli/signals.h"
#include "io/files.h"

namespace lepton {
namespace {

const char* g_program = "lepton";
std::FILE* const g_messages = stderr;  // lib/io may give libraries that talk another `stderr`
Verbosity g_verbosity = Verbosity::normal;

constexpr int kBrokenPipe = 141;  // 128 + SIGPIPE, as a shell reports it

void say(const std::string& text) {
  const std::string line = std::string(g_program) + ": " + text + "\n";
  std::fwrite(line.data(), 1, line.size(), g_messages);
}

int finish(Exit status) {
  flush_output();
  const int stopped = stop_requested();
  return stopped ? 128 + stopped : static_cast<int>(status);
}

}  // namespace

void set_verbosity(Verbosity level) { g_verbosity = level; }
Verbosity verbosity() { return g_verbosity; }
std::FILE* message_stream() { return g_messages; }
void complain(const std::string& text) { say(text); }
void warn(const std::string& text) {
  if (g_verbosity != Verbosity::quiet) say("warning: " + text);
}
void note(const std::string& text) {
  if (g_verbosity != Verbosity::quiet) say(text);
}
void detail(const std::string& text) {
  if (g_verbosity == Verbosity::verbose) say(text);
}

namespace {

[[noreturn]] void output_failed() {
  const int error = errno;
  if (error == EPIPE) {  // at once: threads may be waiting for input that never comes
    unlink_pending_outputs();
    _exit(kBrokenPipe);
  }
  fail(Exit::output, "standard output: {}", std::strerror(error));
}

}  // namespace

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) output_failed();
}

void flush_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) output_failed();
}

int run_main(const char* program, const std::function<Exit()>& body) {
  g_program = program;
  std::signal(SIGPIPE, SIG_IGN);  // a broken pipe is then an errno of the write that met it
  try {
    return finish(body());
  } catch (const Error& error) {
    say(error.what());
    std::fflush(stdout);
    const int stopped = stop_requested();
    return stopped ? 128 + stopped : static_cast<int>(error.status());
  } catch (const BrokenPipe&) {
    _exit(kBrokenPipe);  // what stdout still buffers has no reader
  } catch (const std::bad_alloc&) {
    say("out of memory: use a smaller --batch, or fewer samples at once");
    return static_cast<int>(Exit::device);
  } catch (const std::exception& error) {
    say(std::string("a bug, please report: ") + error.what());
    return static_cast<int>(Exit::bug);
  }
}

}  // namespace lepton
