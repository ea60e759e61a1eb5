#include <algorithm>

#include "base/error.h"
#include "engine/cpu/ops.h"
#include "kernels/augment.h"

namespace lepton::cpu {
namespace {

template <class T>
class InputOp : public Op {
 public:
  InputOp(const EngineOptions& options, const Shape& sample, const Value& out)
      : batch_(options.batch), map_(out.map), planar_(out.planar), sample_(sample), out_(out.buffer) {
    forward_buffers = {out_};
    columns_.resize(static_cast<size_t>(batch_ * map_.w));
    const auto channels = static_cast<size_t>(sample[sample.rank() - 1]);
    mean_.assign(channels, 0.0F);
    std_.assign(channels, 1.0F);
    if (!options.mean.empty() && options.mean.size() != channels) {
      fail(Exit::mismatch, "cpu: {} means for {} channels", options.mean.size(), channels);
    }
    if (!options.std.empty() && options.std.size() != channels) {
      fail(Exit::mismatch, "cpu: {} standard deviations for {} channels", options.std.size(), channels);
    }
    std::copy(options.mean.begin(), options.mean.end(), mean_.begin());
    std::copy(options.std.begin(), options.std.end(), std_.begin());
  }

  void bind(const Arena& arena) override { data_ = arena.as<T>(out_); }

  void forward(const Run& run) override {
    const Batch& batch = *run.batch;
    const int64_t elements = sample_.elements(), numbers = planar_ ? elements : map_.sample();
    const auto expected = static_cast<size_t>(run.n * elements);
    if (!batch.tokens.empty() || std::max(batch.images.size(), batch.rows.size()) != expected) {
      fail(Exit::mismatch, "cpu: a batch of {} samples needs {} values of shape {}", run.n, expected,
           sample_.to_string());
    }
    if (!batch.augment.empty() && batch.augment.size() != static_cast<size_t>(run.n)) {
      fail(Exit::bug, "cpu: {} augmentations for {} samples", batch.augment.size(), run.n);
    }
    if (!batch.images.empty() && table_.empty()) {
      table_.resize(256 * mean_.size());
      for (size_t i = 0; i < table_.size(); ++i) table_[i] = T(pixel(static_cast<float>(i % 256), {}, i / 256));
    }
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < batch_; ++s) {
      T* to = data_ + s * numbers;
      if (!planar_ || s >= run.n) std::fill_n(to, numbers, T{});
      if (s >= run.n) continue;
      const Augment a = batch.augment.empty() ? Augment{} : batch.augment[static_cast<size_t>(s)];
      if (batch.images.empty()) {
        frames(batch.rows.data() + s * elements, a, to);
      } else {
        image(batch.images.data() + s * elements, a, to, columns_.data() + s * map_.w);
      }
    }
  }

 private:
  int64_t place(int64_t pixel, int64_t c) const { return planar_ ? c * map_.pixels() + pixel : map_.place(pixel, c); }

  // kernels::InputFrame with its random numbers drawn four at a time. The sample's last axis has the bands, also where
  // the network reads it as the width of a map of one channel: then a pixel is a value, else a frame.
  void frames(const float* from, const Augment& a, T* to) const {
    const auto bands = static_cast<int64_t>(mean_.size()), count = sample_.elements() / bands;
    const bool frame_a_pixel = map_.c == bands;
    for (int64_t t = 0; t < count; ++t) {
      const bool outside = t + a.dy < 0 || t + a.dy >= count;
      const float* frame = outside ? from : from + (t + a.dy) * bands;
      for (int64_t f = 0; f < bands; ++f) {
        const auto at = static_cast<size_t>(f);
        const bool masked = kernels::InputFrame<float>::masked(a, t, f);
        to[frame_a_pixel ? place(t, f) : place(t * bands + f, 0)] =
            masked || outside ? T{} : T(kernels::normalized(frame[f], mean_[at], std_[at]));
      }
    }
    if (a.noise != 0) add_noise(a, to);
  }

  void add_noise(const Augment& a, T* to) const {
    const auto bands = static_cast<int64_t>(mean_.size());
    Random4 random{};
    for (int64_t i = 0; i < sample_.elements(); ++i) {
      if (i % 4 == 0) random = kernels::noise_draw(a.key, static_cast<uint64_t>(i / 4));
      if (kernels::InputFrame<float>::masked(a, i / bands, i % bands)) continue;
      T& value = to[map_.c == bands ? place(i / bands, i % bands) : place(i, 0)];
      value = T(static_cast<float>(value) + a.noise * kernels::noise_of(random, i % 4));
    }
  }

  float pixel(float stored, const Augment& a, size_t c) const {
    return kernels::normalized((stored - 128) * a.contrast + 128 + a.brightness, mean_[c], std_[c]);
  }

  // kernels::InputPixel with its reflections taken once a row and column, and its division once a value.
  void image(const uint8_t* from, const Augment& a, T* to, int32_t* columns) const {
    const bool toned = a.contrast != 1 || a.brightness != 0;
    for (int64_t x = 0; x < map_.w; ++x) {
      const int64_t shifted = kernels::reflect(x + a.dx, map_.w);
      columns[x] = static_cast<int32_t>((a.flip ? map_.w - 1 - shifted : shifted) * map_.c);
    }
    const int64_t step = planar_ ? 1 : simd().lanes;
    const int64_t cut_begin = std::clamp<int64_t>(a.cut_x, 0, map_.w),
                  cut_end = std::clamp<int64_t>(a.cut_x + a.cut_w, cut_begin, map_.w);
    for (int64_t y = 0; y < map_.h; ++y) {
      const uint8_t* row = from + kernels::reflect(y + a.dy, map_.h) * map_.w * map_.c;
      const bool cut = y >= a.cut_y && y < a.cut_y + a.cut_h;
      for (int64_t c = 0; c < map_.c; ++c) {
        T* values = to + place(y * map_.w, c);
        const T* table = table_.data() + c * 256;
        for (int64_t x = 0; x < map_.w; ++x) {
          const uint8_t stored = row[columns[x] + c];
          values[x * step] = toned ? T(pixel(stored, a, static_cast<size_t>(c))) : table[stored];
        }
        for (int64_t x = cut_begin; cut && x < cut_end; ++x) values[x * step] = T{};
      }
    }
  }

  int64_t batch_;
  Map map_;
  bool planar_;
  Shape sample_;
  int out_;
  T* data_ = nullptr;
  std::vector<float> mean_, std_;
  std::vector<int32_t> columns_;  // [batch, w]: where each output column's pixels stand in a row of the image
  std::vector<T> table_;          // of each stored value of each channel, unaugmented; made for the first images
};

}  // namespace

std::unique_ptr<Op> make_input(const EngineOptions& options, const Shape& sample, const Value& out) {
  return with_element(out.element, [&]<class T>(T) -> std::unique_ptr<Op> {
    return std::make_unique<InputOp<T>>(options, sample, out);
  });
}

}  // namespace lepton::cpu
