#include "train/batches.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "predict/scoring.h"

namespace lepton {
namespace {

constexpr size_t kAhead = 3;  // batches prepared before they are asked for

}  // namespace

Batch OwnedBatch::view() const {
  Batch b = batch_of(type, n, x, augment);
  b.kept = kept;
  b.labels = labels;
  b.targets = targets;
  b.weights = weights;
  return b;
}

BatchLoader::BatchLoader(const SplitData& split, std::vector<int64_t> samples, LoaderOptions options)
    : split_(split), samples_(std::move(samples)), options_(std::move(options)) {
  sample_bytes_ = split_.sample_shape().elements() * static_cast<int64_t>(element_size(split_.type()));
  window_ = std::max<int64_t>(options_.window_bytes / std::max<int64_t>(1, sample_bytes_), options_.batch);
  slot_.assign(static_cast<size_t>(split_.size()), -1);
}

BatchLoader::~BatchLoader() { stop(); }

int64_t BatchLoader::steps_per_epoch() const {
  return (static_cast<int64_t>(samples_.size()) + options_.batch - 1) / options_.batch;
}

int64_t BatchLoader::largest_batch() const {
  const auto n = static_cast<int64_t>(samples_.size());
  return n == 0 ? 0 : (n + steps_per_epoch() - 1) / steps_per_epoch();
}

int64_t BatchLoader::begin_of(int64_t step) const {
  return step * static_cast<int64_t>(samples_.size()) / std::max<int64_t>(1, steps_per_epoch());
}

void BatchLoader::stop() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void BatchLoader::start(int64_t epoch, int64_t first_step, const AugmentSpec& augment) {
  stop();
  ready_.clear();
  finished_ = abandoned_ = false;
  error_ = nullptr;
  thread_ = std::thread([=, this] { produce(epoch, first_step, augment); });
}

const OwnedBatch* BatchLoader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ready_.empty() || finished_; });
  if (ready_.empty()) {
    if (error_) std::rethrow_exception(error_);
    return nullptr;
  }
  current_ = std::move(ready_.front());
  ready_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return &current_;
}

const OwnedBatch* BatchLoader::ahead() {
  const std::lock_guard lock(mutex_);
  return ready_.empty() ? nullptr : &ready_.front();
}

void BatchLoader::name_samples() {
  stop();
  naming_ = true;
  cache_ = {};
}

// Reads the samples order[first, first+window) in order of their place in the file, neighbours with one call.
void BatchLoader::load_window(std::span<const int64_t> order, int64_t first) {
  const auto n = static_cast<int64_t>(order.size());
  const bool whole = window_ >= n;
  if (naming_ || (whole && window_begin_ == 0)) return;
  std::vector<int64_t> wanted(order.begin() + first, order.begin() + std::min(n, first + window_));
  std::sort(wanted.begin(), wanted.end());
  std::fill(slot_.begin(), slot_.end(), -1);
  cache_.resize(wanted.size() * static_cast<size_t>(sample_bytes_));
  for (size_t begin = 0; begin < wanted.size();) {
    size_t end = begin + 1;
    const int64_t chunk = wanted[begin] / split_.chunk_samples();
    while (end < wanted.size() && wanted[end] == wanted[end - 1] + 1 && wanted[end] / split_.chunk_samples() == chunk)
      ++end;
    const std::span<uint8_t> into(cache_.data() + begin * static_cast<size_t>(sample_bytes_),
                                  (end - begin) * static_cast<size_t>(sample_bytes_));
    split_.read(wanted[begin], static_cast<int64_t>(end - begin), into);
    for (size_t i = begin; i < end; ++i) slot_[static_cast<size_t>(wanted[i])] = static_cast<int32_t>(i);
    begin = end;
  }
  window_begin_ = whole ? 0 : -1;
}

void BatchLoader::fill(OwnedBatch& batch, std::span<const int64_t> indices, int64_t epoch, const AugmentSpec& augment) {
  const auto bytes = static_cast<size_t>(sample_bytes_);
  const size_t begin = batch.labels.size();
  batch.type = split_.type();
  if (!naming_) batch.x.resize((begin + indices.size()) * bytes);
  for (size_t i = 0; i < indices.size(); ++i) {
    const int64_t index = indices[i];
    if (naming_) {
      batch.kept.push_back(static_cast<int32_t>(index));
    } else {
      std::memcpy(batch.x.data() + (begin + i) * bytes,
                  cache_.data() + static_cast<size_t>(slot_[static_cast<size_t>(index)]) * bytes, bytes);
    }
    const int32_t label = split_.labels()[static_cast<size_t>(index)];
    batch.labels.push_back(label);
    for (size_t t = 0; t < options_.target_mean.size(); ++t) {
      const float target = split_.targets()[static_cast<size_t>(index) * options_.target_mean.size() + t];
      batch.targets.push_back((target - options_.target_mean[t]) / options_.target_std[t]);
    }
    if (!options_.class_weights.empty())
      batch.weights.push_back(label < 0 ? 0 : options_.class_weights[static_cast<size_t>(label)]);
    if (augment.any()) batch.augment.push_back(augment_of(augment, split_.sample_shape(), options_.seed, epoch, index));
  }
  batch.n = static_cast<int64_t>(batch.labels.size());
}

void BatchLoader::produce(int64_t epoch, int64_t first_step, AugmentSpec augment) {
  try {
    const std::vector<int64_t> order = epoch_order(samples_, split_.chunk_samples(), window_, options_.seed, epoch);
    const int64_t begun = begin_of(first_step);
    OwnedBatch batch;
    int64_t position = begun, step = first_step;
    while (step < steps_per_epoch()) {
      const int64_t window_first = position / window_ * window_, end = begin_of(step + 1);
      if (position == window_first || position == begun) load_window(order, window_first);
      const int64_t take = std::min(end, window_first + window_) - position;
      fill(batch, std::span(order).subspan(static_cast<size_t>(position), static_cast<size_t>(take)), epoch, augment);
      position += take;
      if (position < end) continue;
      ++step;
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ready_.size() < kAhead || abandoned_; });
      if (abandoned_) break;
      ready_.push_back(std::move(batch));
      lock.unlock();
      changed_.notify_all();
      batch = {};
    }
  } catch (...) {
    error_ = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_all();
}

}  // namespace lepton
