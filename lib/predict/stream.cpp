#include "predict/stream.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "io/files.h"

namespace lepton {
namespace {

constexpr size_t kWaiting = 512;  // inputs between the reader and the engine at most
constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

struct Item {
  std::string input, error;
  std::optional<std::string> record;  // none: the input names a file to read
  std::vector<std::string> fields;
  Prepared sample;
  bool decoded = false;
};

void decode(const Recipe& recipe, Item& item) {
  if (!item.error.empty()) return;
  try {
    if (item.record) {
      item.sample = recipe.prepare({reinterpret_cast<const uint8_t*>(item.record->data()), item.record->size()});
    } else {
      item.sample = recipe.prepare(read_input(item.input));
    }
  } catch (const Error& error) {
    item.error = error.what();
    if (item.error.starts_with(item.input + ": ")) item.error.erase(0, item.input.size() + 2);
  } catch (const std::bad_alloc&) {
    item.error = "too large for the memory there is";
  }
}

class Pipeline {
 public:
  Pipeline(const Recipe& recipe, const StreamOptions& options) : recipe_(recipe), options_(options) {}
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

  void start(int decoders, const std::function<void(const NameSink&)>& produce) {
    for (int i = 0; i < decoders; ++i) threads_.emplace_back([this] { work(); });
    threads_.emplace_back([this, &produce] { read(produce); });
  }

  // The next inputs in order, at most `most`. Waits for the first, and at most max_latency for those behind it that are
  // being decoded; never for inputs yet to come. Empty: the end.
  std::vector<std::unique_ptr<Item>> take(size_t most, double max_latency) {
    std::unique_lock lock(mutex_);
    const auto ready = [&](size_t count) {
      return std::all_of(items_.begin(), items_.begin() + static_cast<int64_t>(count),
                         [](const auto& i) { return i->decoded; });
    };
    changed_.wait(lock, [&] { return (!items_.empty() && ready(1)) || (read_all_ && items_.empty()); });
    if (items_.empty() && error_) std::rethrow_exception(error_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(max_latency);
    changed_.wait_until(lock, deadline, [&] { return ready(std::min(most, items_.size())); });
    std::vector<std::unique_ptr<Item>> taken;
    while (taken.size() < most && !items_.empty() && items_.front()->decoded) {
      taken.push_back(std::move(items_.front()));
      items_.pop_front();
      --next_;
    }
    lock.unlock();
    changed_.notify_all();
    return taken;
  }

 private:
  void read(const std::function<void(const NameSink&)>& produce) {
    const NameSink sink{[this](const std::string& name) { return push_inputs(name); },
                        [this] {
                          const std::lock_guard lock(mutex_);
                          return !stopping_;
                        }};
    std::exception_ptr error;
    try {
      produce(sink);
    } catch (...) {
      error = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      error_ = error;
      read_all_ = true;
    }
    changed_.notify_all();
  }

  // A file that is one input, or each record of a file.
  bool push_inputs(const std::string& name) {
    std::unique_ptr<RecordReader> records;
    RecordOptions options = options_.records;
    options.wanted = [this] {
      const std::lock_guard lock(mutex_);
      return !stopping_;
    };
    try {
      records = recipe_.records(name, options);
    } catch (const Error& error) {
      if (error.status() == Exit::mismatch || error.status() == Exit::usage) throw;
      auto item = std::make_unique<Item>();
      item->input = name;
      item->error = error.what();
      if (item->error.starts_with(name + ": ")) item->error.erase(0, name.size() + 2);
      return push(std::move(item));
    }
    auto item = std::make_unique<Item>();
    if (!records) {
      item->input = name;
      return push(std::move(item));
    }
    bool first = true;
    for (Record record; records->next(record);) {
      if (std::exchange(first, false) && options_.on_columns) options_.on_columns(name, records->columns());
      item->input = std::move(record.id);
      item->error = std::move(record.problem);
      item->record = std::move(record.raw);
      item->fields = std::move(record.fields);
      if (!push(std::move(item))) return false;
      item = std::make_unique<Item>();
      record = {};
    }
    return true;
  }

  bool push(std::unique_ptr<Item> item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return items_.size() < kWaiting || stopping_; });
    if (stopping_) return false;
    items_.push_back(std::move(item));
    lock.unlock();
    changed_.notify_all();
    return true;
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return next_ < items_.size() || stopping_ || read_all_; });
      if (stopping_ || next_ >= items_.size()) return;
      Item& item = *items_[next_++];
      lock.unlock();
      decode(recipe_, item);
      lock.lock();
      item.decoded = true;
      changed_.notify_all();
    }
  }

  const Recipe& recipe_;
  const StreamOptions& options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Item>> items_;
  size_t next_ = 0;  // the first of items_ that no decoder has taken
  bool read_all_ = false, stopping_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;
};

}  // namespace

std::vector<uint8_t> read_input(const std::string& input) {
  if (input != "-") return read_file(input, kMaxFileBytes);
  const FileDescriptor spool = open_input("-");
  const int64_t size = file_size(spool.get());
  if (size > kMaxFileBytes) fail(Exit::bad_inputs, "-: {} bytes, more than the limit of {}", size, kMaxFileBytes);
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  read_at(spool.get(), bytes, 0, "standard input");
  return bytes;
}

void predict_stream(const Predictor& predictor, Answerer& answerer, const StreamOptions& options,
                    const std::function<void(const NameSink&)>& produce,
                    const std::function<void(const Answer&)>& answer, const std::function<void()>& pause) {
  const auto width = static_cast<size_t>(answerer.width());
  const size_t bytes = predictor.sample_bytes();
  std::vector<uint8_t> x;
  std::vector<float> values(static_cast<size_t>(answerer.batch()) * width);
  Pipeline pipeline(*predictor.recipe, options);
  pipeline.start(options.decoders, produce);
  for (;;) {
    const auto items = pipeline.take(static_cast<size_t>(answerer.batch()), options.max_latency);
    if (items.empty()) return;
    x.clear();
    for (const auto& item : items) {
      const std::vector<uint8_t>& one = item->sample.x;  // empty where it failed
      x.insert(x.end(), one.begin(), one.end());
    }
    if (!x.empty()) answerer.infer(static_cast<int64_t>(x.size() / bytes), x, values);
    auto from = values.begin();
    for (const auto& item : items) {
      Answer a{item->input,
               {},
               item->error,
               item->sample.lost_colour,
               item->sample.resampled,
               item->sample.cut,
               std::move(item->fields)};
      if (item->error.empty()) {
        a.values.assign(from, from + static_cast<int64_t>(width));
        from += static_cast<int64_t>(width);
      }
      answer(a);
    }
    pause();
  }
}

void predict_split(Answerer& answerer, const SplitData& split, const std::function<void(const Answer&)>& answer,
                   const std::function<void()>& pause) {
  const auto width = static_cast<size_t>(answerer.width());
  const size_t bytes = static_cast<size_t>(split.sample_shape().elements()) * element_size(split.type());
  std::vector<uint8_t> x(static_cast<size_t>(answerer.batch()) * bytes);
  std::vector<float> values(static_cast<size_t>(answerer.batch()) * width);
  for (int64_t begin = 0; begin < split.size(); begin += answerer.batch()) {
    const int64_t n = std::min(answerer.batch(), split.size() - begin);
    const std::span<uint8_t> stored = std::span(x).first(static_cast<size_t>(n) * bytes);
    split.read(begin, n, stored);
    answerer.infer(n, stored, values);
    for (int64_t i = 0; i < n; ++i) {
      const auto from = values.begin() + i * static_cast<int64_t>(width);
      answer({split.id(begin + i), {from, from + static_cast<int64_t>(width)}, {}});
    }
    pause();
  }
}

}  // namespace lepton
