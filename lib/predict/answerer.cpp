#include "predict/answerer.h"

#include <algorithm>

#include "base/error.h"
#include "predict/scoring.h"

namespace lepton {
Answerer::Answerer(const Predictor& predictor, NodeId node, int64_t batch, Computing how)
    : predictor_(predictor),
      node_(node),
      batch_(batch),
      width_(predictor.graph.nodes[static_cast<size_t>(node)].shape.elements()),
      how_(std::move(how)) {}

Engine& Answerer::single() {
  if (!single_) single_ = predictor_.compile_for(1, how_);
  return *single_;
}

// Within a limit, what is left by the engine for one.
Engine& Answerer::many() {
  if (many_) return *many_;
  Computing how = how_;
  if (how.memory_limit > 0) how.memory_limit = std::max<int64_t>(1, how.memory_limit - single().memory_bytes());
  many_ = predictor_.compile_for(batch_, how);
  return *many_;
}

void Answerer::run(Engine& engine, int64_t n, std::span<const uint8_t> x, std::span<float> values) const {
  engine.infer(batch_of(predictor_.recipe->type(), n, x, {}), node_, values);
  if (node_ == predictor_.graph.output()) predictor_.to_units(values.first(static_cast<size_t>(n * width_)));
}

void Answerer::infer(int64_t n, std::span<const uint8_t> x, std::span<float> values) {
  if (n < 1 || n > batch_) fail(Exit::bug, "answerer: {} samples for a batch of {}", n, batch_);
  // An engine computes its whole batch whatever n is: below half of it, one by one costs less.
  if (batch_ > 1 && 2 * n >= batch_) return run(many(), n, x, values);
  const auto bytes = predictor_.sample_bytes(), width = static_cast<size_t>(width_);
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    run(single(), 1, x.subspan(i * bytes, bytes), values.subspan(i * width, width));
  }
}

std::string Answerer::describe() const {
  std::string text = why_not_a_gpu(how_.device);
  if (single_) text += single_->describe();
  if (many_) text += many_->describe();
  return text;
}

}  // namespace lepton
