#pragma once
// A preset's whole training run on plain images, as scripts/gpu-check times it: from the first step to the last answer
// with test-time views, on an engine that has been warmed up; setting whitening filters is timed by itself.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "cuda/gpu_check.h"
#include "kernels/loss.h"
#include "net/parameters.h"
#include "net/presets.h"
#include "predict/scoring.h"
#include "train/trainer.h"

namespace lepton::cuda {

struct PlainImages {
  Shape shape;
  std::vector<uint8_t> pixels;  // [n, shape]
  std::vector<int32_t> labels;  // [n]
  int64_t size() const { return std::ssize(labels); }
};

// Records of CIFAR-10's binary files: a label, then planes of 32x32 in red, green and blue. Error(no_input) where a
// file is not whole records.
inline PlainImages read_cifar(const std::vector<std::string>& files) {
  constexpr size_t kPlane = 1024, kRecord = 1 + 3 * kPlane;
  PlainImages images{{32, 32, 3}, {}, {}};
  for (const std::string& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
    if (bytes.empty() || bytes.size() % kRecord != 0) fail(Exit::no_input, "{}: no records of CIFAR-10", file);
    for (size_t at = 0; at < bytes.size(); at += kRecord) {
      images.labels.push_back(bytes[at]);
      if (bytes[at] < 0 || bytes[at] > 9) fail(Exit::no_input, "{}: label {} is above 9", file, int{bytes[at]});
      for (size_t i = 0; i < 3 * kPlane; ++i) {
        images.pixels.push_back(static_cast<uint8_t>(bytes[at + 1 + i % 3 * kPlane + i / 3]));
      }
    }
  }
  return images;
}

// Of each channel, over all pixels: options.mean and options.std.
inline void measure_channels(const PlainImages& images, EngineOptions& options) {
  const auto channels = static_cast<size_t>(images.shape[2]);
  std::vector<double> sum(channels), squares(channels);
  for (size_t i = 0; i < images.pixels.size(); ++i) {
    sum[i % channels] += images.pixels[i];
    squares[i % channels] += images.pixels[i] * images.pixels[i];
  }
  const double count = static_cast<double>(images.pixels.size()) / static_cast<double>(channels);
  for (size_t c = 0; c < channels; ++c) {
    const double mean = sum[c] / count;
    options.mean.push_back(static_cast<float>(mean));
    options.std.push_back(static_cast<float>(std::sqrt(squares[c] / count - mean * mean)));
  }
}

struct RecipeRun {
  double accuracy = 0, plain_accuracy = 0;  // with test-time views, and without; both count in `seconds`
  double seconds = 0, whitening_seconds = 0;
  double loss = 0;  // of the last step
  int64_t steps = 0;
};

class Recipe {
 public:
  // Trained in `precision`. Both sets stay with the caller.
  Recipe(const Preset& preset, Precision precision, const PlainImages& train, const PlainImages& test, int64_t classes)
      : train_(train), test_(test) {
    apply_options(options_, preset.defaults);
    options_.net = preset.net;
    graph_ = build_graph(preset.net, train.shape, classes);
    steps_ = (train.size() + options_.batch - 1) / options_.batch;
    engine_.batch = std::min(options_.batch, train.size());
    engine_.training = true;
    engine_.precision = precision;
    engine_.optimizer = options_.optimizer;
    measure_channels(train, engine_);
  }

  RecipeRun operator()(uint64_t seed, const MakeEngine& make) {
    options_.seed = engine_.seed = seed;
    RecipeRun run;
    const std::unique_ptr<Engine> engine = make(graph_, engine_);
    kept_ = engine->keep(train_.size(), [&](int64_t first, int64_t count, std::span<uint8_t> to) {
      const int64_t size = train_.shape.elements();
      std::copy_n(train_.pixels.data() + first * size, count * size, to.data());
    });
    ParameterSet parameters = initial_parameters(graph_, seed);
    warm_up(*engine, parameters);
    run.whitening_seconds = seconds_of([&] { whiten(parameters); });
    engine->load(parameters);
    run.seconds = seconds_of([&] {
      for (int64_t epoch = 0; epoch < options_.epochs; ++epoch) train_epoch(*engine, epoch, run);
      run.plain_accuracy = accuracy(*engine, plain_view());
      run.accuracy = accuracy(*engine, test_time_views(options_.augment.flip != AugmentSpec::Flip::none));
    });
    return run;
  }

 private:
  struct Prepared {
    std::vector<uint8_t> pixels;  // or, where the engine has them,
    std::vector<int32_t> kept;    // which
    std::vector<int32_t> labels;
    std::vector<Augment> augment;
    Batch view() const {
      Batch batch;
      batch.n = std::ssize(labels);
      batch.images = pixels;
      batch.kept = kept;
      batch.labels = labels;
      batch.augment = augment;
      return batch;
    }
  };

  // Steps and answers of every size that the run has; load() then begins afresh.
  void warm_up(Engine& engine, const ParameterSet& parameters) const {
    engine.load(parameters);
    const std::vector<int64_t> order = order_of(0);
    for (int64_t step = 0; step < std::min<int64_t>(3, steps_); ++step) {
      const Prepared batch = prepared(order, 0, step);
      (void)take_step(engine, batch, 0, step);
    }
    (void)accuracy(engine, plain_view());
  }

  void whiten(ParameterSet& parameters) const {
    if (!wants_whitening(graph_)) return;
    const int64_t count = std::min<int64_t>(5000, train_.size()), elements = train_.shape.elements();
    const std::vector<int64_t> order = order_of(0);
    std::vector<float> images;
    for (int64_t i = 0; i < count; ++i) {
      const uint8_t* from = train_.pixels.data() + order[static_cast<size_t>(i)] * elements;
      for (int64_t k = 0; k < elements; ++k) {
        const auto c = static_cast<size_t>(k % train_.shape[2]);
        images.push_back((static_cast<float>(from[k]) - engine_.mean[c]) / engine_.std[c]);
      }
    }
    set_whitening(parameters, graph_, images, count);
  }

  std::vector<int64_t> order_of(int64_t epoch) const {
    std::vector<int64_t> samples(static_cast<size_t>(train_.size()));
    std::iota(samples.begin(), samples.end(), int64_t{0});
    return epoch_order(samples, 1, train_.size(), options_.seed, epoch).samples;
  }

  Prepared prepared(const std::vector<int64_t>& order, int64_t epoch, int64_t step) const {
    const int64_t begin = step * train_.size() / steps_, end = (step + 1) * train_.size() / steps_;
    const auto size = static_cast<size_t>(train_.shape.elements());
    Prepared batch;
    if (!kept_) batch.pixels.resize(static_cast<size_t>(end - begin) * size);
    for (int64_t i = begin; i < end; ++i) {
      const auto index = static_cast<size_t>(order[static_cast<size_t>(i)]);
      if (kept_) {
        batch.kept.push_back(static_cast<int32_t>(index));
      } else {
        std::memcpy(batch.pixels.data() + static_cast<size_t>(i - begin) * size, train_.pixels.data() + index * size,
                    size);
      }
      batch.labels.push_back(train_.labels[index]);
      batch.augment.push_back(
          augment_of(options_.augment, train_.shape, options_.seed, epoch, static_cast<int64_t>(index)));
    }
    return batch;
  }

  double take_step(Engine& engine, const Prepared& batch, int64_t epoch, int64_t step) const {
    const auto of_epoch = static_cast<double>(step) / static_cast<double>(steps_);
    const double done = static_cast<double>(epoch) + of_epoch;
    const Rates rates = rates_at(graph_, options_, done / static_cast<double>(options_.epochs), done);
    StepSettings settings;
    settings.step = epoch * steps_ + step;
    settings.rates = rates.rates;
    settings.decays = rates.decays;
    settings.label_smoothing = static_cast<float>(options_.label_smoothing);
    settings.sum_loss = options_.sum_loss;
    const StepResult result = engine.train_step(batch.view(), settings);
    if (!result.finite) fail(Exit::failed, "epoch {}, step {}: the loss is not finite", epoch + 1, step + 1);
    return result.loss;
  }

  // The next batch is prepared while the engine works.
  void train_epoch(Engine& engine, int64_t epoch, RecipeRun& run) const {
    const std::vector<int64_t> order = order_of(epoch);
    const auto begin = [&](int64_t step) {
      return std::async(std::launch::async, [&, step] { return prepared(order, epoch, step); });
    };
    std::future<Prepared> next = begin(0);
    for (int64_t step = 0; step < steps_; ++step) {
      const Prepared batch = next.get();
      if (step + 1 < steps_) next = begin(step + 1);
      run.loss = take_step(engine, batch, epoch, step);
      ++run.steps;
    }
  }

  // Share of the test images whose logits, averaged over the views, are largest at their label.
  double accuracy(Engine& engine, const std::vector<WeightedView>& views) const {
    const int64_t classes = graph_.classes, size = test_.shape.elements();
    int64_t right = 0;
    std::vector<float> logits(static_cast<size_t>(engine_.batch * classes)), total;
    for (int64_t begin = 0; begin < test_.size(); begin += engine_.batch) {
      Batch batch;
      batch.n = std::min(engine_.batch, test_.size() - begin);
      batch.images =
          std::span(test_.pixels).subspan(static_cast<size_t>(begin * size), static_cast<size_t>(batch.n * size));
      total.assign(static_cast<size_t>(batch.n * classes), 0.0F);
      for (const WeightedView& view : views) {
        const std::vector<Augment> augment(static_cast<size_t>(batch.n), view.view);
        batch.augment = augment;
        engine.infer(batch, graph_.output(), logits);
        for (size_t i = 0; i < total.size(); ++i) total[i] += view.weight * logits[i];
      }
      for (int64_t i = 0; i < batch.n; ++i) {
        const int64_t best = kernels::largest(total.data() + i * classes, classes);
        right += best == test_.labels[static_cast<size_t>(begin + i)] ? 1 : 0;
      }
    }
    return static_cast<double>(right) / static_cast<double>(test_.size());
  }

  const PlainImages &train_, &test_;
  TrainOptions options_;
  Graph graph_;
  EngineOptions engine_;
  int64_t steps_ = 0;  // of an epoch
  bool kept_ = false;  // the engine keeps the images to train on
};

}  // namespace lepton::cuda
