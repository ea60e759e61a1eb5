#pragma once
// Batches on their way to the device: stored values up, augmented and normalised there.
#include <algorithm>
#include <vector>

#include "base/batch.h"
#include "base/error.h"
#include "base/hd.h"
#include "cuda/frames.h"
#include "cuda/memory.h"
#include "cuda/pool.h"
#include "engine/engine.h"
#include "kernels/augment.h"
#include "net/graph.h"

namespace lepton::cuda {

// One value of the input [n, height, width, channels]; augment: [n] or nullptr; mean, std: [channels].
template <class T>
struct Gather {
  kernels::InputPixel<float> pixel;
  Places places;
  const uint8_t* images;
  const Augment* augment;
  const float *mean, *std;
  T* x;

  LEPTON_HD void operator()(int64_t i) const {
    const Place at = places(i);
    const uint8_t* image = images + at.sample * pixel.height * pixel.width * pixel.channels;
    const Augment a = augment == nullptr ? Augment{} : augment[at.sample];
    x[i] = T(pixel(image, a, at.y, at.x, at.channel, mean[at.channel], std[at.channel]));
  }
};

template <class P, class T>
class Input {
 public:
  Input(P& policy, const Shape& sample, const EngineOptions& options) : shape_(sample) {
    const int rank = sample.rank();
    channels_ = sample[rank - 1];
    width_ = rank > 1 ? sample[rank - 2] : 1;
    mean_ = normalization(policy, options.mean, 0, "means");
    std_ = normalization(policy, options.std, 1, "standard deviations");
    staged_ = memory_of<float>(policy, options.batch * sample.elements());
    augment_ = memory_of<Augment>(policy, options.batch);
  }

  int64_t bytes() const { return staged_.bytes() + augment_.bytes() + mean_.bytes() + std_.bytes(); }

  // x [n, sample shape] = the batch.
  void run(P& policy, const Batch& batch, T* x) {
    check(batch);
    const int64_t count = batch.n * shape_.elements();
    const auto *mean = mean_.template as<float>(), *std = std_.template as<float>();
    if (!batch.augment.empty()) upload(policy, augment_, batch.augment);
    const Augment* augment = batch.augment.empty() ? nullptr : augment_.template as<Augment>();
    if (batch.images.empty()) {
      upload(policy, staged_, batch.rows);
      const kernels::InputFrame<float> frame{shape_.elements() / channels_, channels_};
      return policy.launch(count, GatherFrames<T>{frame, Divisor(channels_), Divisor(frame.count),
                                                  staged_.template as<float>(), augment, mean, std, x});
    }
    upload(policy, staged_, batch.images);
    const kernels::InputPixel<float> pixel{shape_.elements() / channels_ / width_, width_, channels_};
    policy.launch(count, Gather<T>{pixel, Places(pixel.height, pixel.width, channels_), staged_.template as<uint8_t>(),
                                   augment, mean, std, x});
  }

 private:
  Memory<P> normalization(P& policy, const std::vector<float>& given, float otherwise, const char* what) const {
    if (!given.empty() && static_cast<int64_t>(given.size()) != channels_) {
      fail(Exit::mismatch, "cuda: {} {} for {} channels", given.size(), what, channels_);
    }
    const std::vector<float> values =
        given.empty() ? std::vector<float>(static_cast<size_t>(channels_), otherwise) : given;
    auto memory = memory_of<float>(policy, channels_);
    policy.upload(memory.template as<void>(), values.data(), memory.bytes());
    return memory;
  }

  void check(const Batch& batch) const {
    const auto count = static_cast<size_t>(batch.n * shape_.elements());
    if (!batch.tokens.empty() || std::max(batch.images.size(), batch.rows.size()) != count) {
      fail(Exit::mismatch, "cuda: a batch of {} samples needs {} values of shape {}", batch.n, count,
           shape_.to_string());
    }
    if (!batch.augment.empty() && batch.augment.size() != static_cast<size_t>(batch.n)) {
      fail(Exit::bug, "cuda: {} augmentations for {} samples", batch.augment.size(), batch.n);
    }
  }

  template <class V>
  static void upload(P& policy, const Memory<P>& to, std::span<const V> from) {
    policy.upload(to.template as<void>(), from.data(), static_cast<int64_t>(from.size_bytes()));
  }

  Shape shape_;
  int64_t channels_ = 0, width_ = 0;
  Memory<P> mean_, std_, staged_, augment_;
};

}  // namespace lepton::cuda
