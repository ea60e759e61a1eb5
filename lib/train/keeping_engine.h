#pragma once
// For the tests of this folder: an engine with memory of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace lepton {

// The CPU engine, which keeps images if `keeps`, and holds the trainer to its announcements.
class KeepingEngine : public Engine {
 public:
  KeepingEngine(const Graph& graph, const EngineOptions& options, bool keeps)
      : inner_(lepton::compile(graph, "cpu", options)), keeps_(keeps), size_(graph.input.elements()) {}

  void announce(const Batch& batch) override {
    announced_ = batch;
    announcements += batch.n > 0 ? 1 : 0;
  }
  bool keep(int64_t n, const SampleReader& read) override {
    if (!keeps_) return false;
    samples_.resize(static_cast<size_t>(n * size_));
    for (int64_t first = 0; first < n; first += 7) {
      const int64_t count = std::min<int64_t>(7, n - first);
      read(first, count,
           std::span(samples_).subspan(static_cast<size_t>(first * size_), static_cast<size_t>(count * size_)));
    }
    return true;
  }
  StepResult train_step(const Batch& batch, const StepSettings& settings) override {
    if (expected_.n > 0) {
      EXPECT_EQ(batch.n, expected_.n);
      EXPECT_EQ(batch.images.data(), expected_.images.data());
      EXPECT_EQ(batch.kept.data(), expected_.kept.data());
      EXPECT_EQ(batch.labels.data(), expected_.labels.data());
      EXPECT_EQ(batch.augment.data(), expected_.augment.data());
    }
    expected_ = announced_;
    announced_ = {};
    EXPECT_EQ(batch.images.empty(), keeps_);
    EXPECT_EQ(batch.kept.size(), keeps_ ? static_cast<size_t>(batch.n) : 0U);
    std::vector<uint8_t> images;
    for (const int32_t row : batch.kept)
      images.insert(images.end(), samples_.begin() + row * size_, samples_.begin() + (row + 1) * size_);
    Batch brought = batch;
    brought.kept = {};
    if (keeps_) brought.images = images;
    return inner_->train_step(brought, settings);
  }
  void infer(const Batch& batch, NodeId node, std::span<float> values) override { inner_->infer(batch, node, values); }
  void load(const ParameterSet& parameters) override { inner_->load(parameters); }
  ParameterSet save() const override { return inner_->save(); }
  std::vector<LayerTime> profile(const Batch& batch) override { return inner_->profile(batch); }
  int64_t memory_bytes() const override { return inner_->memory_bytes(); }
  std::string describe() const override { return inner_->describe(); }

  static inline int64_t announcements = 0;

 private:
  std::unique_ptr<Engine> inner_;
  bool keeps_;
  int64_t size_;
  std::vector<uint8_t> samples_;
  Batch announced_, expected_;
};

}  // namespace lepton
