#pragma once
// Work on blocks of items by several threads, handed on in order: same results at any number of threads.
#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace lepton {

// Threads fill blocks (`fill` returns false once nothing is left; one thread at a time, in order), work on them
// (`work`, concurrently), and hand them on (`hand_on`, one thread at a time, in the order of filling). Who finds that
// it is not its block's turn leaves the block to whoever hands on, and takes another: nobody waits while somebody
// writes. At most three blocks a thread are alive, so memory is constant. The first exception ends all and is thrown
// again here.
template <class Block>
void run_in_order(int threads, const std::function<bool(Block&)>& fill, const std::function<void(Block&)>& work,
                  const std::function<void(Block&)>& hand_on) {
  std::mutex fill_mutex, mutex;
  std::condition_variable freed;
  std::vector<Block> blocks(static_cast<size_t>(3 * std::max(threads, 1)));
  std::vector<Block*> free;           // guarded by mutex, as all below
  std::map<int64_t, Block*> waiting;  // worked on, by their number
  int64_t filled = 0, turn = 0;
  bool handing_on = false, stopped = false;
  std::exception_ptr problem;
  free.reserve(blocks.size());
  for (Block& block : blocks) free.push_back(&block);

  const auto take_free = [&]() -> Block* {
    std::unique_lock lock(mutex);
    freed.wait(lock, [&] { return stopped || !free.empty(); });
    if (stopped) return nullptr;
    Block* block = free.back();
    free.pop_back();
    return block;
  };
  const auto hand_on_in_turn = [&](int64_t number, Block* done) {
    std::unique_lock lock(mutex);
    waiting[number] = done;
    if (handing_on) return;
    handing_on = true;
    while (!stopped && !waiting.empty() && waiting.begin()->first == turn) {
      Block* block = waiting.extract(waiting.begin()).mapped();
      lock.unlock();
      hand_on(*block);
      lock.lock();
      ++turn;
      free.push_back(block);
      freed.notify_one();
    }
    handing_on = false;
  };
  const auto worker = [&] {
    try {
      while (Block* block = take_free()) {
        int64_t number = 0;
        {
          const std::lock_guard lock(fill_mutex);
          if (!fill(*block)) return;
          number = filled++;
        }
        work(*block);
        hand_on_in_turn(number, block);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!problem) problem = std::current_exception();
      stopped = true;
      freed.notify_all();
    }
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(worker);
  worker();
  others.clear();
  if (problem) std::rethrow_exception(problem);
}

}  // namespace lepton
