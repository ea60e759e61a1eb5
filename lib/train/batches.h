#pragma once
// Batches of a split in shuffled order, prepared on a thread of their own while the engine works.
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/batch.h"
#include "data/dataset.h"

namespace lepton {

// Which augmentations, how strong. Every number is a pure function of seed, epoch and sample.
struct AugmentSpec {
  int shift = 0;  // pixels each way, mirrored at the edge; of sequences frames each way
  enum class Flip { none, random, alternate } flip = Flip::none;
  int cutout = 0;        // side of the box, pixels
  float brightness = 0;  // largest change, in units of 255
  float contrast = 0;    // largest relative change
  // Of sequences [T,F] only; what is masked, or shifted in, is the mean.
  int time_mask = 0, band_mask = 0;  // most frames, most bands
  float noise = 0;                   // largest deviation of what is added, in units of the band's
  bool any() const {
    return shift || flip != Flip::none || cutout || brightness > 0 || contrast > 0 || time_mask || band_mask ||
           noise > 0;
  }
};

// alternate: mirrored in every other epoch, the first one drawn for each sample (Jordan 2024).
Augment augment_of(const AugmentSpec& spec, const Shape& sample, uint64_t seed, int64_t epoch, int64_t sample_index);

// A batch that owns what its view points to.
struct OwnedBatch {
  int64_t n = 0;
  ElementType type = ElementType::u8;
  std::vector<uint8_t> x;     // [n, sample] as stored
  std::vector<int32_t> kept;  // or [n] their split indices: an engine keeps the samples
  std::vector<int32_t> labels;
  std::vector<float> targets;  // regression: [n, targets] in standard deviations from the mean
  std::vector<float> weights;  // empty = 1
  std::vector<Augment> augment;
  Batch view() const;
};

// The order of one epoch, and when each chunk must be in memory for it.
struct EpochOrder {
  struct Arrival {
    int64_t position;    // in `samples`, before which the chunk is there
    int64_t begin, end;  // the chunk's samples: positions in the list that was shuffled
  };
  std::vector<int64_t> samples;
  std::vector<Arrival> arrivals;
};
// Chunks come in shuffled order into a pool of at most `window` samples (one chunk at least), a new one as soon as
// there is room; each step of the order takes any sample of the pool. With window >= size a plain shuffle. samples:
// sorted indices; chunk: samples a chunk.
EpochOrder epoch_order(std::span<const int64_t> samples, int64_t chunk, int64_t window, uint64_t seed, int64_t epoch);

struct LoaderOptions {
  int64_t batch = 128;
  uint64_t seed = 0;
  int64_t window_bytes = int64_t{2} << 30;     // samples kept in memory at most; a smaller split is read once and kept
  std::vector<float> class_weights;            // [classes]; empty = 1
  std::vector<float> target_mean, target_std;  // regression: of each target
};

// Every epoch gives each of `samples` exactly once, in the fewest batches of at most options.batch; their sizes differ
// by at most one, so that no batch is too small for its statistics.
class BatchLoader {
 public:
  BatchLoader(const SplitData& split, std::vector<int64_t> samples, LoaderOptions options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  int64_t steps_per_epoch() const;
  int64_t largest_batch() const;
  // Begins an epoch at a step of it; a running one is abandoned.
  void start(int64_t epoch, int64_t first_step, const AugmentSpec& augment);
  // The next batch, or nullptr at the epoch's end. Valid until the call after. Rethrows what reading threw.
  const OwnedBatch* next();
  // What next() will give, with the same vectors, where it is ready by now; else nullptr.
  const OwnedBatch* ahead();
  // Epochs that begin from now on name their samples instead of bringing them; nothing more is read.
  void name_samples();

 private:
  int64_t begin_of(int64_t step) const;  // position in the epoch's order
  void produce(int64_t epoch, int64_t first_step, AugmentSpec augment);
  void fill(OwnedBatch& batch, std::span<const int64_t> indices, int64_t epoch, const AugmentSpec& augment);
  bool prepare(const EpochOrder& order, int64_t begun);
  void load(std::span<const EpochOrder::Arrival> chunks, size_t i);
  bool abandoned();
  void stop();

  const SplitData& split_;
  std::vector<int64_t> samples_;
  LoaderOptions options_;
  int64_t sample_bytes_, window_;
  std::vector<uint8_t> cache_, scratch_;  // samples in memory, [slots, sample]; a chunk as it is read
  std::vector<int32_t> slot_;             // split index → slot in cache_, kAbsent or kTaken
  std::vector<int32_t> free_;             // slots without a sample
  size_t announced_ = 0;                  // chunks that the split was told to expect
  bool naming_ = false, whole_ = false;   // whole: every sample is in memory, and stays

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<OwnedBatch> ready_;
  OwnedBatch current_;
  bool finished_ = false, abandoned_ = false;
  std::exception_ptr error_;
};

}  // namespace lepton
