#include "predict/stream.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "io/files.h"

namespace lepton {
namespace {

constexpr size_t kWaiting = 512;  // inputs between the reader and the engine at most
constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

struct Item {
  std::string input, error;
  std::vector<uint8_t> x;
  bool decoded = false;
};

std::vector<uint8_t> read_input(const std::string& input) {
  if (input != "-") return read_file(input, kMaxFileBytes);
  const FileDescriptor spool = open_input("-");
  std::vector<uint8_t> bytes(static_cast<size_t>(std::min(file_size(spool.get()), kMaxFileBytes)));
  read_at(spool.get(), bytes, 0, "standard input");
  return bytes;
}

void decode(const Recipe& recipe, Item& item) {
  try {
    item.x = apply_recipe(recipe, read_input(item.input));
  } catch (const Error& error) {
    item.error = error.what();
    if (item.error.starts_with(item.input + ": ")) item.error.erase(0, item.input.size() + 2);
  }
}

class Pipeline {
 public:
  explicit Pipeline(const Recipe& recipe) : recipe_(recipe) {}
  ~Pipeline() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  void start(int decoders, const std::function<void(const std::function<bool(const std::string&)>&)>& produce) {
    for (int i = 0; i < decoders; ++i) threads_.emplace_back([this] { work(); });
    threads_.emplace_back([this, &produce] { read(produce); });
  }

  // Waits for the next inputs in order: at least one, then what comes within max_latency, at most `most`. Empty: the
  // end.
  std::vector<std::unique_ptr<Item>> take(size_t most, double max_latency) {
    std::unique_lock lock(mutex_);
    const auto ready = [&](size_t count) {
      return items_.size() >= count && std::all_of(items_.begin(), items_.begin() + static_cast<int64_t>(count),
                                                   [](const auto& i) { return i->decoded; });
    };
    changed_.wait(lock, [&] { return ready(1) || (read_all_ && items_.empty()); });
    if (error_) std::rethrow_exception(error_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(max_latency);
    changed_.wait_until(lock, deadline, [&] { return ready(most) || (read_all_ && ready(items_.size())); });
    std::vector<std::unique_ptr<Item>> taken;
    while (taken.size() < most && !items_.empty() && items_.front()->decoded) {
      taken.push_back(std::move(items_.front()));
      items_.pop_front();
      if (next_ > 0) --next_;
    }
    lock.unlock();
    changed_.notify_all();
    return taken;
  }

  bool anything_ready() {
    const std::lock_guard lock(mutex_);
    return !items_.empty() && items_.front()->decoded;
  }

 private:
  void read(const std::function<void(const std::function<bool(const std::string&)>&)>& produce) {
    try {
      produce([&](const std::string& name) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return items_.size() < kWaiting || stopping_; });
        if (stopping_) return false;
        items_.push_back(std::make_unique<Item>());
        items_.back()->input = name;
        lock.unlock();
        changed_.notify_all();
        return true;
      });
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      read_all_ = true;
    }
    changed_.notify_all();
  }

  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return next_ < items_.size() || stopping_ || (read_all_ && next_ >= items_.size()); });
      if (stopping_ || next_ >= items_.size()) return;
      Item& item = *items_[next_++];
      lock.unlock();
      decode(recipe_, item);
      lock.lock();
      item.decoded = true;
      lock.unlock();
      changed_.notify_all();
    }
  }

  const Recipe& recipe_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Item>> items_;
  size_t next_ = 0;  // the first of items_ that no decoder has taken
  bool read_all_ = false, stopping_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;
};

}  // namespace

Answer predict_one(const Predictor& predictor, Engine& engine, NodeId node, const std::string& input) {
  Item item;
  item.input = input;
  decode(predictor.recipe, item);
  Answer answer{input, {}, item.error};
  if (!item.error.empty()) return answer;
  Batch batch;
  batch.n = 1;
  batch.images = item.x;
  answer.values.resize(static_cast<size_t>(predictor.graph.nodes[static_cast<size_t>(node)].shape.elements()));
  engine.infer(batch, node, answer.values);
  return answer;
}

void predict_stream(const Predictor& predictor, NodeId node, const StreamOptions& options,
                    const std::function<void(const std::function<bool(const std::string&)>&)>& produce,
                    const std::function<void(const Answer&)>& answer, const std::function<void()>& pause) {
  const std::unique_ptr<Engine> engine = predictor.compile_for(options.batch, options.device, options.threads);
  const auto width = static_cast<size_t>(predictor.graph.nodes[static_cast<size_t>(node)].shape.elements());
  const auto bytes = static_cast<size_t>(predictor.graph.input.elements());
  std::vector<uint8_t> x;
  std::vector<float> values(static_cast<size_t>(options.batch) * width);
  Pipeline pipeline(predictor.recipe);
  pipeline.start(options.decoders, produce);
  for (;;) {
    const auto items = pipeline.take(static_cast<size_t>(options.batch), options.max_latency);
    if (items.empty()) return;
    x.clear();
    for (const auto& item : items) {
      if (item->error.empty()) x.insert(x.end(), item->x.begin(), item->x.end());
    }
    const size_t good = x.size() / bytes;
    if (good > 0) {
      Batch batch;
      batch.n = static_cast<int64_t>(good);
      batch.images = x;
      engine->infer(batch, node, std::span(values).first(good * width));
    }
    size_t at = 0;
    for (const auto& item : items) {
      Answer a{item->input, {}, item->error};
      if (item->error.empty()) {
        a.values.assign(values.begin() + static_cast<int64_t>(at * width),
                        values.begin() + static_cast<int64_t>((at + 1) * width));
        ++at;
      }
      answer(a);
    }
    if (!pipeline.anything_ready()) pause();
  }
}

}  // namespace lepton
