#include "push/retry.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/error.h"

namespace lepton {
namespace {

constexpr double kLongestPause = 30;

class RetryingRemote : public Remote {
 public:
  RetryingRemote(std::unique_ptr<Remote> remote, int retries, std::function<bool()> stop, double first_pause)
      : remote_(std::move(remote)), retries_(retries), stop_(std::move(stop)), first_pause_(first_pause) {}

  std::optional<StoredObject> get(const std::string& key, const std::string& file) override {
    return patiently([&] { return remote_->get(key, file); });
  }
  void get_many(std::span<const Download> downloads) override {
    patiently([&] { remote_->get_many(downloads); });
  }
  bool put(const Upload& upload, const Condition& condition) override {
    return patiently([&] { return remote_->put(upload, condition); });
  }
  void put_many(std::span<const Upload> uploads) override {
    patiently([&] { remote_->put_many(uploads); });
  }
  std::vector<StoredObject> list(const std::string& prefix) override {
    return patiently([&] { return remote_->list(prefix); });
  }
  std::optional<StoredObject> head(const std::string& key) override {
    return patiently([&] { return remote_->head(key); });
  }
  void remove(std::span<const std::string> keys) override {
    patiently([&] { remote_->remove(keys); });
  }
  std::string public_access() override { return remote_->public_access(); }

 private:
  template <class Verb>
  std::invoke_result_t<Verb> patiently(Verb verb) {
    for (int tries = 0;; ++tries) {
      try {
        return verb();
      } catch (const Error& error) {
        if (error.status() != Exit::try_later || tries >= retries_ || !pause(tries)) throw;
      }
    }
  }

  // False when asked to stop.
  bool pause(int tries) const {
    static thread_local std::minstd_rand random(std::random_device{}());
    const double jitter = std::uniform_real_distribution<double>(0.85, 1.15)(random);
    const double seconds = std::min(kLongestPause, first_pause_ * static_cast<double>(1 << std::min(tries, 20)));
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds * jitter);
    for (;;) {
      if (stop_ && stop_()) return false;
      const std::chrono::duration<double> left = end - std::chrono::steady_clock::now();
      if (left.count() <= 0) return true;
      std::this_thread::sleep_for(std::min(left, std::chrono::duration<double>(0.1)));
    }
  }

  std::unique_ptr<Remote> remote_;
  int retries_;
  std::function<bool()> stop_;
  double first_pause_;
};

}  // namespace

std::unique_ptr<Remote> with_retries(std::unique_ptr<Remote> remote, int retries, std::function<bool()> stop,
                                     double first_pause_seconds) {
  return std::make_unique<RetryingRemote>(std::move(remote), retries, std::move(stop), first_pause_seconds);
}

}  // namespace lepton
