#pragma once
// The first layer's values: stored ones, augmented and normalised.
#include <vector>

#include "base/error.h"
#include "base/hd.h"
#include "cuda/frames.h"
#include "cuda/memory.h"
#include "cuda/pool.h"
#include "cuda/step.h"
#include "engine/engine.h"
#include "kernels/augment.h"
#include "net/graph.h"

namespace lepton::cuda {

// One value of the input [n, height, width, channels]; mean, std: [channels].
template <class T>
struct Gather {
  kernels::InputPixel<float> pixel;
  Places places;
  const StepNumbers* numbers;
  const float *mean, *std;
  T* x;

  LEPTON_HD void operator()(int64_t i) const {
    const DeviceBatch& batch = numbers->batch;
    const Place at = places(i);
    const int64_t which = batch.kept == nullptr ? at.sample : batch.kept[at.sample];
    const uint8_t* image = batch.images + which * pixel.height * pixel.width * pixel.channels;
    const Augment a = batch.augment == nullptr ? Augment{} : batch.augment[at.sample];
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
  }

  // x [n, sample shape] = the batch that `numbers` speaks of.
  void run(P& policy, int64_t n, const StepNumbers* numbers, T* x) {
    const int64_t count = n * shape_.elements();
    const auto *mean = mean_.template as<float>(), *std = std_.template as<float>();
    if (shape_.rank() < 3) {
      const kernels::InputFrame<float> frame{shape_.elements() / channels_, channels_};
      return policy.launch(count,
                           GatherFrames<T>{frame, Divisor(channels_), Divisor(frame.count), numbers, mean, std, x});
    }
    const kernels::InputPixel<float> pixel{shape_.elements() / channels_ / width_, width_, channels_};
    policy.launch(count, Gather<T>{pixel, Places(pixel.height, pixel.width, channels_), numbers, mean, std, x});
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

  Shape shape_;
  int64_t channels_ = 0, width_ = 0;
  Memory<P> mean_, std_;
};

}  // namespace lepton::cuda
