#include "train/batches.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "predict/scoring.h"

namespace lepton {
namespace {

constexpr size_t kAhead = 3;       // batches prepared before they are asked for
constexpr size_t kAnnounced = 16;  // chunks told to the system before they are read
constexpr int64_t kPieceBytes = 1 << 20;
constexpr int32_t kAbsent = -1, kTaken = -2;

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
  cache_ = scratch_ = {};
}

bool BatchLoader::abandoned() {
  const std::lock_guard lock(mutex_);
  return abandoned_;
}

// Reads chunks[i] at once, a large one in pieces, and keeps those of its samples that are still to be given.
void BatchLoader::load(std::span<const EpochOrder::Arrival> chunks, size_t i) {
  const int64_t rows = split_.chunk_samples(), piece = kPieceBytes / sample_bytes_;
  for (; announced_ < std::min(i + kAnnounced, chunks.size()); ++announced_) {
    split_.expect(samples_[static_cast<size_t>(chunks[announced_].begin)]);
  }
  const auto bytes = static_cast<size_t>(sample_bytes_);
  int64_t first = 0, end = 0;  // what scratch_ holds
  for (int64_t at = chunks[i].begin; at < chunks[i].end; ++at) {
    const int64_t index = samples_[static_cast<size_t>(at)];
    int32_t& slot = slot_[static_cast<size_t>(index)];
    if (slot == kTaken) continue;
    if (index >= end) {
      first = rows <= piece ? index / rows * rows : index;
      end = std::min(
          {split_.size(), (index / rows + 1) * rows, first + std::max(rows <= piece ? rows : piece, int64_t{1})});
      scratch_.resize(static_cast<size_t>(end - first) * bytes);
      split_.read(first, end - first, scratch_);
    }
    slot = free_.back();
    free_.pop_back();
    std::memcpy(cache_.data() + static_cast<size_t>(slot) * bytes,
                scratch_.data() + static_cast<size_t>(index - first) * bytes, bytes);
  }
}

// Empties the cache for an epoch that begins at `begun`, or fills it where it holds the whole split. False: abandoned.
bool BatchLoader::prepare(const EpochOrder& order, int64_t begun) {
  if (naming_ || whole_) return true;
  const std::span<const EpochOrder::Arrival> chunks(order.arrivals);
  int64_t slots = window_;
  for (const EpochOrder::Arrival& chunk : chunks) slots = std::max(slots, chunk.end - chunk.begin);
  slots = std::min(slots, std::ssize(samples_));
  cache_.resize(static_cast<size_t>(slots * sample_bytes_));
  free_.resize(static_cast<size_t>(slots));
  std::iota(free_.rbegin(), free_.rend(), 0);
  std::fill(slot_.begin(), slot_.end(), kAbsent);
  announced_ = 0;
  if (window_ < std::ssize(samples_)) {
    for (int64_t i = 0; i < begun; ++i) slot_[static_cast<size_t>(order.samples[static_cast<size_t>(i)])] = kTaken;
    return true;
  }
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (abandoned()) return false;
    load(chunks, i);
  }
  return whole_ = true;
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
    if (!naming_ && !whole_) free_.push_back(std::exchange(slot_[static_cast<size_t>(index)], kTaken));
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
    const EpochOrder order = epoch_order(samples_, split_.chunk_samples(), window_, options_.seed, epoch);
    const int64_t begun = begin_of(first_step);
    const bool prepared = prepare(order, begun);
    std::span<const EpochOrder::Arrival> chunks(order.arrivals);
    if (naming_ || whole_) chunks = {};
    size_t arrived = 0;
    OwnedBatch batch;
    int64_t position = begun, step = first_step;
    while (prepared && step < steps_per_epoch()) {
      for (; arrived < chunks.size() && chunks[arrived].position <= position; ++arrived) {
        if (abandoned()) return;
        load(chunks, arrived);
      }
      const int64_t end = begin_of(step + 1);
      const int64_t take = std::min(end, arrived < chunks.size() ? chunks[arrived].position : end) - position;
      fill(batch, std::span(order.samples).subspan(static_cast<size_t>(position), static_cast<size_t>(take)), epoch,
           augment);
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
