#pragma once
// Batches on their way to the device: from pinned memory, beside what is being computed; and samples that stay there.
#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "base/batch.h"
#include "base/error.h"
#include "cuda/memory.h"
#include "cuda/step.h"
#include "engine/engine.h"
#include "net/graph.h"

namespace lepton::cuda {

// Host memory that a policy copies from while the host goes on.
template <class P>
class Pinned {
 public:
  Pinned(P& policy, int64_t bytes) : policy_(policy), data_(static_cast<char*>(policy.allocate_pinned(bytes))) {}
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { policy_.release_pinned(data_); }
  char* data() const { return data_; }

 private:
  P& policy_;
  char* data_;
};

// Each batch goes up in one piece, its parts one behind the other. While a step reads one slot, the next batch may fill
// the other.
template <class P>
class Staging {
 public:
  Staging(P& policy, const Graph& graph, const EngineOptions& options)
      : policy_(policy),
        graph_(graph),
        sample_(graph.input),
        most_(options.batch),
        truths_(options.training),
        targets_(options.training && options.loss == LossKind::mse ? static_cast<size_t>(graph.classes) : 0) {
    const int64_t numbers = 4 * ((truths_ ? 2 : 0) + static_cast<int64_t>(targets_));
    const int64_t stored = images() ? std::max<int64_t>(sample_.elements(), 4) : 4 * sample_.elements();
    const int64_t each = stored + numbers + static_cast<int64_t>(sizeof(Augment));
    for (int i = 0; i < (options.training ? 2 : 1); ++i) {
      slots_.push_back(std::make_unique<Slot>(policy, most_ * each + kParts * kAlignment));
    }
  }

  // A batch that take() will be asked for after the coming one; the spans stay as they are until then. {}: none.
  void announce(const Batch& batch) {
    announced_ = batch;
    if (batch.n > 0) return;
    for (const auto& slot : slots_) slot->holds = {};
  }
  // Begins to bring up what was announced, if anything was. To be called once the work of the batch before it has been
  // given to the policy.
  void begin() {
    if (announced_.n > 0) fill(*slots_[next_], announced_);
    announced_ = {};
  }
  // Where the batch stands for all work to come, until the second take() after this one.
  DeviceBatch take(const Batch& batch) {
    Slot& slot = *slots_[next_];
    if (!same(slot.holds, batch)) fill(slot, batch);
    slot.holds = {};
    next_ = (next_ + 1) % slots_.size();
    policy_.join();
    return slot.batch;
  }

  // Keeps the n images that `read` gives, if there is room: in half of what is free, and within the limit.
  bool keep(int64_t n, const SampleReader& read) {
    constexpr int64_t kPiece = int64_t{64} << 20;
    const int64_t size = sample_.elements(), bytes = n * size;
    if (!images() || n < 1 || n > std::numeric_limits<int32_t>::max()) return false;
    if (bytes > std::min(policy_.free_bytes() / 2, policy_.budget.left())) return false;
    kept_ = Memory<P>(policy_, bytes);
    std::vector<uint8_t> piece(static_cast<size_t>(std::min(n, std::max<int64_t>(1, kPiece / size)) * size));
    for (int64_t first = 0; first < n; first += std::ssize(piece) / size) {
      const int64_t count = std::min(n - first, std::ssize(piece) / size);
      const auto part = std::span(piece).first(static_cast<size_t>(count * size));
      read(first, count, part);
      policy_.upload(kept_.template as<uint8_t>(first * size), part.data(), count * size);
    }
    samples_ = n;
    return true;
  }

 private:
  static constexpr int64_t kAlignment = 256, kParts = 8;

  struct Slot {
    Slot(P& policy, int64_t bytes) : host(policy, bytes), device(policy, bytes) {}
    Pinned<P> host;
    Memory<P> device;
    Batch holds;  // what it has been filled with and not yet been asked for
    DeviceBatch batch;
  };

  bool images() const { return sample_.rank() == 3; }

  template <class V>
  static bool same(std::span<const V> a, std::span<const V> b) {
    return a.data() == b.data() && a.size() == b.size();
  }
  static bool same(const Batch& a, const Batch& b) {
    return a.n == b.n && same(a.images, b.images) && same(a.kept, b.kept) && same(a.rows, b.rows) &&
           same(a.tokens, b.tokens) && same(a.labels, b.labels) && same(a.targets, b.targets) &&
           same(a.weights, b.weights) && same(a.augment, b.augment);
  }

  void fill(Slot& slot, const Batch& batch) {
    check(batch);
    policy_.finish_uploads();  // of what the slot held before
    int64_t at = 0;
    const auto place = [&]<class V>(std::span<const V> part) -> const V* {
      if (part.empty()) return nullptr;
      const int64_t begin = at;
      std::memcpy(slot.host.data() + begin, part.data(), part.size_bytes());
      at += (std::ssize(part) * static_cast<int64_t>(sizeof(V)) + kAlignment - 1) / kAlignment * kAlignment;
      return slot.device.template as<V>(begin);
    };
    DeviceBatch& b = slot.batch;
    b.images = batch.kept.empty() ? place(batch.images) : kept_.template as<uint8_t>();
    b.kept = place(batch.kept);
    b.rows = place(batch.rows);
    b.tokens = place(batch.tokens);
    b.labels = place(batch.labels);
    b.targets = place(batch.targets);
    b.weights = place(batch.weights);
    b.augment = place(batch.augment);
    policy_.upload_beside(slot.device.template as<void>(), slot.host.data(), at);
    slot.holds = batch;
  }

  void check(const Batch& batch) const {
    if (batch.n < 1 || batch.n > most_) {
      fail(Exit::bug, "cuda: a batch of {} on an engine compiled for {}", batch.n, most_);
    }
    if (graph_.tokens > 0) check_tokens(batch, graph_);
    const auto n = static_cast<size_t>(batch.n), count = n * static_cast<size_t>(sample_.elements());
    const size_t numbers = graph_.tokens > 0 ? batch.tokens.size() : batch.rows.size();
    const bool all = images() ? batch.images.size() == count || batch.kept.size() == n : numbers == count;
    const int kinds = !batch.images.empty() + !batch.kept.empty() + !batch.rows.empty() + !batch.tokens.empty();
    if (!all || kinds != 1) {
      fail(Exit::mismatch, "cuda: a batch of {} samples needs {} values of shape {}", batch.n, count,
           sample_.to_string());
    }
    const auto whole = [](size_t size, size_t expected) { return size == 0 || size == expected; };
    if (!whole(batch.labels.size(), truths_ ? n : 0) || !whole(batch.weights.size(), truths_ ? n : 0) ||
        !whole(batch.targets.size(), targets_ * n)) {
      fail(Exit::bug, "cuda: {} labels, {} weights and {} targets for {} samples", batch.labels.size(),
           batch.weights.size(), batch.targets.size(), n);
    }
    for (const int32_t index : batch.kept) {
      if (index < 0 || index >= samples_) fail(Exit::bug, "cuda: sample {} of {} that are kept", index, samples_);
    }
    if (!batch.augment.empty() && batch.augment.size() != static_cast<size_t>(batch.n)) {
      fail(Exit::bug, "cuda: {} augmentations for {} samples", batch.augment.size(), batch.n);
    }
  }

  P& policy_;
  const Graph& graph_;
  Shape sample_;
  int64_t most_, samples_ = 0;
  bool truths_;     // batches have labels or targets, and weights
  size_t targets_;  // of a sample
  std::vector<std::unique_ptr<Slot>> slots_;
  size_t next_ = 0;
  Batch announced_;
  Memory<P> kept_;  // [samples_, sample]
};

}  // namespace lepton::cuda
