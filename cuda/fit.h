#pragma once
// An engine within EngineOptions::memory_limit.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "engine/engine.h"
#include "net/graph.h"

namespace lepton::cuda {

// Samples [first, first + count) of a batch.
inline Batch part_of(const Batch& batch, int64_t first, int64_t count) {
  const auto cut = [&](auto span) {
    const size_t each = span.size() / static_cast<size_t>(batch.n);
    return span.subspan(static_cast<size_t>(first) * each, static_cast<size_t>(count) * each);
  };
  Batch part;
  part.n = count;
  part.images = cut(batch.images), part.kept = cut(batch.kept), part.rows = cut(batch.rows);
  part.tokens = cut(batch.tokens), part.labels = cut(batch.labels), part.targets = cut(batch.targets);
  part.weights = cut(batch.weights), part.augment = cut(batch.augment);
  return part;
}

// Answers batches of any size through an engine for inference on batches of `piece`.
class InPieces : public Engine {
 public:
  InPieces(std::unique_ptr<Engine> engine, const Graph& graph, int64_t piece)
      : engine_(std::move(engine)), graph_(graph), piece_(piece) {}

  StepResult train_step(const Batch&, const StepSettings&) override {
    fail(Exit::bug, "cuda: train_step on an engine compiled for inference");
  }
  void infer(const Batch& batch, NodeId node, std::span<float> values) override {
    const auto each = static_cast<size_t>(graph_.nodes[static_cast<size_t>(node)].shape.elements());
    if (values.size() < static_cast<size_t>(batch.n) * each) {
      fail(Exit::bug, "cuda: room for {} values, {} wanted", values.size(), static_cast<size_t>(batch.n) * each);
    }
    for_pieces(batch, [&](const Batch& part, int64_t first) {
      engine_->infer(part, node, values.subspan(static_cast<size_t>(first) * each, static_cast<size_t>(part.n) * each));
    });
  }
  void load(const ParameterSet& parameters) override { engine_->load(parameters); }
  ParameterSet save() const override { return engine_->save(); }
  std::vector<LayerTime> profile(const Batch& batch) override {
    std::vector<LayerTime> total;
    for_pieces(batch, [&](const Batch& part, int64_t) {
      const std::vector<LayerTime> times = engine_->profile(part);
      if (total.empty()) total.assign(times.size(), {});
      for (size_t i = 0; i < times.size(); ++i) {
        total[i].node = times[i].node;
        total[i].forward_ms += times[i].forward_ms;
      }
    });
    return total;
  }
  int64_t memory_bytes() const override { return engine_->memory_bytes(); }
  std::string describe() const override {
    return engine_->describe() + fmt::format("cuda: larger batches in pieces of {}\n", piece_);
  }

 private:
  template <class F>
  void for_pieces(const Batch& batch, const F& f) {
    for (int64_t first = 0; first < batch.n; first += piece_) {
      f(part_of(batch, first, std::min(piece_, batch.n - first)), first);
    }
  }

  std::unique_ptr<Engine> engine_;
  const Graph graph_;
  int64_t piece_;
};

// What `make` makes within the limit: with windows of convolutions laid out in smaller and smaller parts, then, for
// inference, in pieces of the largest batch that fits. `make` gives nullptr where the limit does not allow for it.
// Error(device) with the batch that would fit: a smaller one would train otherwise, so that is the caller's choice.
inline std::unique_ptr<Engine> fitted(const Graph& graph, const EngineOptions& options,
                                      const std::function<std::unique_ptr<Engine>(const EngineOptions&)>& make) {
  constexpr int64_t kLeastWindows = int64_t{1} << 20;
  EngineOptions tried = options;
  for (;;) {
    if (auto engine = make(tried)) return engine;
    if (tried.window_bytes / 2 < kLeastWindows) break;
    tried.window_bytes /= 2;
  }
  int64_t fits = 0;
  for (int64_t fails = options.batch; fails - fits > 1;) {
    tried.batch = fits + (fails - fits) / 2;
    (make(tried) ? fits : fails) = tried.batch;
  }
  const std::string limit = human_bytes(options.memory_limit);
  if (fits == 0) {
    fail(Exit::device, "cuda: out of memory: not even a batch of 1 fits into {}; raise --memory-limit", limit);
  }
  if (options.training) {
    fail(Exit::device, "cuda: out of memory: a batch of {} does not fit into {}, one of {} would; lower --batch",
         options.batch, limit, fits);
  }
  tried.batch = fits;
  return std::make_unique<InPieces>(make(tried), graph, fits);
}

}  // namespace lepton::cuda
