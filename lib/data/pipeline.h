#pragma once
// Work on blocks of items by several threads, handed on in order: same results at any number of threads.
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lepton {

// Each thread in turn fills a block (`fill` returns false once nothing is left; one thread at a time, in order), works
// on it (`work`, concurrently), and hands it on (`hand_on`, one thread at a time, in the order of filling). At most
// one block a thread is alive, so memory is constant. The first exception ends all and is thrown again here.
template <class Block>
void run_in_order(int threads, const std::function<bool(Block&)>& fill, const std::function<void(Block&)>& work,
                  const std::function<void(Block&)>& hand_on) {
  std::mutex fill_mutex, turn_mutex;
  std::condition_variable turn_changed;
  int64_t filled = 0, turn = 0;
  bool stopped = false;
  std::exception_ptr problem;

  const auto worker = [&] {
    Block block;
    int64_t mine = 0;
    try {
      for (;;) {
        {
          const std::lock_guard lock(fill_mutex);
          if (!fill(block)) return;
          mine = filled++;
        }
        work(block);
        std::unique_lock lock(turn_mutex);
        turn_changed.wait(lock, [&] { return stopped || turn == mine; });
        if (stopped) return;
        hand_on(block);
        ++turn;
        turn_changed.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(turn_mutex);
      if (!problem) problem = std::current_exception();
      stopped = true;
      turn_changed.notify_all();
    }
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(worker);
  worker();
  others.clear();
  if (problem) std::rethrow_exception(problem);
}

}  // namespace lepton
