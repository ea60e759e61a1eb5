#include "cli/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

#include "io/files.h"

namespace lepton {
namespace {

std::atomic<int> g_stop{0};
std::atomic<bool> g_checkpoint{false};
std::atomic<bool> g_graceful{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void on_stop(int signal_number) {
  int none = 0;
  if (g_graceful && g_stop.compare_exchange_strong(none, signal_number)) return;
  unlink_pending_outputs();
  _exit(128 + signal_number);
}

void on_checkpoint(int) { g_checkpoint = true; }

void install(int signal_number, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal_number, &action, nullptr);
}

}  // namespace

void catch_signals(bool graceful) {
  g_graceful = graceful;
  install(SIGINT, on_stop);
  install(SIGTERM, on_stop);
  install(SIGHUP, on_stop);
  install(SIGUSR1, on_checkpoint);
}

int stop_requested() { return g_stop; }
bool take_checkpoint_request() { return g_checkpoint.exchange(false); }

}  // namespace lepton
