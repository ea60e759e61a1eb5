// Order and augmentation of an epoch: pure functions, which need no data.
#include <algorithm>
#include <tuple>
#include <utility>

#include "base/random.h"
#include "train/batches.h"

namespace lepton {
namespace {

template <class Item>
void shuffle(std::span<Item> items, uint64_t seed, int64_t epoch, uint64_t salt) {
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

EpochOrder epoch_order(std::span<const int64_t> samples, int64_t chunk, int64_t window, uint64_t seed, int64_t epoch) {
  const auto n = static_cast<int64_t>(samples.size());
  EpochOrder order;
  std::vector<EpochOrder::Arrival>& chunks = order.arrivals;
  for (int64_t i = 0; i < n; ++i) {
    if (i == 0 || samples[static_cast<size_t>(i)] / chunk != samples[static_cast<size_t>(i - 1)] / chunk)
      chunks.push_back({0, i, i});
    chunks.back().end = i + 1;
  }
  if (window >= n) {
    order.samples.assign(samples.begin(), samples.end());
    shuffle<int64_t>(order.samples, seed, epoch, 0);
    return order;
  }
  shuffle<EpochOrder::Arrival>(chunks, seed, epoch, 0);
  order.samples.reserve(samples.size());
  std::vector<int64_t> pool;
  size_t next = 0;
  const auto fits = [&] { return pool.empty() || std::ssize(pool) + chunks[next].end - chunks[next].begin <= window; };
  for (int64_t position = 0; position < n; ++position) {
    for (; next < chunks.size() && fits(); ++next) {
      chunks[next].position = position;
      pool.insert(pool.end(), samples.begin() + chunks[next].begin, samples.begin() + chunks[next].end);
    }
    const Random4 r = random4(seed, Stream::shuffle, static_cast<uint64_t>(epoch),
                              (uint64_t{1} << 40) | static_cast<uint64_t>(position));
    int64_t& taken = pool[below(r.v[0], static_cast<uint32_t>(pool.size()))];
    order.samples.push_back(taken);
    taken = pool.back();
    pool.pop_back();
  }
  return order;
}

}  // namespace lepton
