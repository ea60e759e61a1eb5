#include "train/batches.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/random.h"
#include "predict/scoring.h"

namespace lepton {
namespace {

constexpr size_t kAhead = 3;  // batches prepared before they are asked for

void shuffle(std::span<int64_t> items, uint64_t seed, int64_t epoch, uint64_t salt) {
  for (size_t i = items.size(); i > 1; --i) {
    const Random4 r = random4(seed, Stream::shuffle, static_cast<uint64_t>(epoch), (salt << 40) | i);
    std::swap(items[i - 1], items[below(r.v[0], static_cast<uint32_t>(i))]);
  }
}

// A stretch of 0 to `most` out of `size`, any as likely.
std::pair<int16_t, int16_t> stretch(int most, int64_t size, uint32_t length_random, uint32_t begin_random) {
  const auto longest = static_cast<uint32_t>(std::min<int64_t>(most, size));
  const uint32_t length = below(length_random, longest + 1);
  const uint32_t begin = below(begin_random, static_cast<uint32_t>(size) - length + 1);
  return {static_cast<int16_t>(begin), static_cast<int16_t>(length)};
}

Augment augment_of_frames(const AugmentSpec& spec, const Shape& sample, uint64_t seed, uint64_t epoch, uint64_t i) {
  Augment a;
  const Random4 r = random4(seed, Stream::augment, epoch, i), s = random4(seed, Stream::augment, epoch, i + 2);
  if (spec.shift > 0) {
    a.dy =
        static_cast<int16_t>(static_cast<int>(below(r.v[0], static_cast<uint32_t>(2 * spec.shift + 1))) - spec.shift);
  }
  std::tie(a.cut_y, a.cut_h) = stretch(spec.time_mask, sample[0], s.v[0], s.v[1]);
  std::tie(a.cut_x, a.cut_w) = stretch(spec.band_mask, sample[1], s.v[2], s.v[3]);
  a.noise = spec.noise * uniform(r.v[1]);
  a.key = uint64_t{r.v[2]} << 32 | r.v[3];
  return a;
}

}  // namespace

Augment augment_of(const AugmentSpec& spec, const Shape& sample, uint64_t seed, int64_t epoch, int64_t index) {
  Augment a;
  if (!spec.any() || sample.rank() < 2) return a;
  if (sample.rank() == 2) {
    return augment_of_frames(spec, sample, seed, static_cast<uint64_t>(epoch), static_cast<uint64_t>(index) * 4);
  }
  const auto i = static_cast<uint64_t>(index) * 4;
  const Random4 r = random4(seed, Stream::augment, static_cast<uint64_t>(epoch), i);
  const auto height = static_cast<uint32_t>(sample[0]), width = static_cast<uint32_t>(sample[1]);
  if (spec.shift > 0) {
    const auto range = static_cast<uint32_t>(2 * spec.shift + 1);
    a.dy = static_cast<int16_t>(static_cast<int>(below(r.v[0], range)) - spec.shift);
    a.dx = static_cast<int16_t>(static_cast<int>(below(r.v[1], range)) - spec.shift);
  }
  if (spec.flip == AugmentSpec::Flip::random) a.flip = (r.v[2] >> 31) != 0;
  if (spec.flip == AugmentSpec::Flip::alternate) {
    const uint32_t first = random4(seed, Stream::augment, 0, i + 1).v[0] >> 31;
    a.flip = ((first + static_cast<uint64_t>(epoch)) & 1) != 0;
  }
  const Random4 s = random4(seed, Stream::augment, static_cast<uint64_t>(epoch), i + 2);
  if (spec.cutout > 0) {
    const int side = spec.cutout;
    const int y = static_cast<int>(below(s.v[0], height)) - side / 2,
              x = static_cast<int>(below(s.v[1], width)) - side / 2;
    a.cut_y = static_cast<int16_t>(std::max(0, y));
    a.cut_x = static_cast<int16_t>(std::max(0, x));
    a.cut_h = static_cast<int16_t>(std::min<int>(static_cast<int>(height), y + side) - a.cut_y);
    a.cut_w = static_cast<int16_t>(std::min<int>(static_cast<int>(width), x + side) - a.cut_x);
  }
  if (spec.brightness > 0) a.brightness = 255 * spec.brightness * (2 * uniform(s.v[2]) - 1);
  if (spec.contrast > 0) a.contrast = 1 + spec.contrast * (2 * uniform(s.v[3]) - 1);
  return a;
}

Batch OwnedBatch::view() const {
  Batch b = batch_of(type, n, x, augment);
  b.kept = kept;
  b.labels = labels;
  b.targets = targets;
  b.weights = weights;
  return b;
}

std::vector<int64_t> epoch_order(std::span<const int64_t> samples, int64_t chunk, int64_t window, uint64_t seed,
                                 int64_t epoch) {
  const auto n = static_cast<int64_t>(samples.size());
  std::vector<int64_t> order;
  if (window >= n) {
    order.assign(samples.begin(), samples.end());
    shuffle(order, seed, epoch, 0);
    return order;
  }
  std::vector<int64_t> begins;  // positions in samples where a chunk begins
  for (int64_t i = 0; i < n; ++i) {
    if (i == 0 || samples[static_cast<size_t>(i)] / chunk != samples[static_cast<size_t>(i - 1)] / chunk)
      begins.push_back(i);
  }
  std::vector<int64_t> chunks(begins.size());
  for (size_t i = 0; i < chunks.size(); ++i) chunks[i] = static_cast<int64_t>(i);
  shuffle(chunks, seed, epoch, 0);
  order.reserve(samples.size());
  for (const int64_t c : chunks) {
    const auto at = static_cast<size_t>(c);
    const int64_t end = at + 1 < begins.size() ? begins[at + 1] : n;
    order.insert(order.end(), samples.begin() + begins[at], samples.begin() + end);
  }
  for (int64_t begin = 0, salt = 1; begin < n; begin += window, ++salt) {
    shuffle(std::span(order).subspan(static_cast<size_t>(begin), static_cast<size_t>(std::min(window, n - begin))),
            seed, epoch, static_cast<uint64_t>(salt));
  }
  return order;
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
