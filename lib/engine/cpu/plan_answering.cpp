#include <algorithm>
#include <exception>

#include "engine/cpu/plan.h"
#include "engine/cpu/threads.h"

namespace lepton::cpu {
namespace {

// Samples of a thread's plan: so few that a layer's input and output stay in second-level cache, so many that kernels
// are read seldom.
int64_t samples_in_cache(const Graph& graph) {
  constexpr int64_t kMost = 8, kCache = 512 << 10;  // bytes
  int64_t largest = 1;
  for (const Node& node : graph.nodes) largest = std::max(largest, node.shape.elements());
  return std::clamp<int64_t>(kCache / (2 * largest), 1, kMost);
}

template <class T>
std::span<const T> part_of(std::span<const T> all, int64_t first, int64_t count, int64_t each) {
  return all.empty() ? all : all.subspan(static_cast<size_t>(first * each), static_cast<size_t>(count * each));
}

}  // namespace

AnsweringPlan::AnsweringPlan(const Graph& graph, const EngineOptions& options, NodeId target,
                             const ParameterSet& parameters)
    : part_(options.batch), sample_(graph.input), elements_(graph.nodes[static_cast<size_t>(target)].shape.elements()) {
  const int threads = thread_count();
  const int64_t share = (options.batch + threads - 1) / threads;
  EngineOptions each = options;
  int64_t plans = 1;
  if (options.precision == Precision::int8 && options.batch >= threads) {
    each.batch = part_ = std::min(samples_in_cache(graph), share);
    each.threads = 1;
    plans = std::min<int64_t>(threads, (options.batch + part_ - 1) / part_);
  }
  const ThreadScope scope(each.threads);
  for (int64_t i = 0; i < plans; ++i) {
    plans_.push_back(std::make_unique<InferencePlan>(graph, each, target, parameters, shared_));
  }
}

int64_t AnsweringPlan::bytes() const {
  int64_t bytes = 0;
  for (const auto& plan : plans_) bytes += plan->bytes();
  for (const auto& [node, weights] : shared_) bytes += weights->size() * static_cast<int64_t>(sizeof(float));
  return bytes;
}

void AnsweringPlan::run(const Batch& batch, std::span<float> values, Times* times) {
  if (part_ >= batch.n) return plans_[0]->run(batch, values, times);
  const int64_t parts = (batch.n + part_ - 1) / part_, size = sample_.elements();
  const auto run_part = [&](InferencePlan& plan, int64_t i) {
    const int64_t first = i * part_, n = std::min(part_, batch.n - first);
    Batch some;
    some.n = n;
    some.images = part_of(batch.images, first, n, size);
    some.rows = part_of(batch.rows, first, n, size);
    some.tokens = part_of(batch.tokens, first, n, size);
    some.augment = part_of(batch.augment, first, n, 1);
    plan.run(some, values.subspan(static_cast<size_t>(first * elements_), static_cast<size_t>(n * elements_)), times);
  };
  if (times != nullptr || plans_.size() == 1) {
    for (int64_t i = 0; i < parts; ++i) run_part(*plans_[0], i);
    return;
  }
  std::exception_ptr error;  // may not leave a thread
#pragma omp parallel for schedule(dynamic) num_threads(static_cast<int>(plans_.size()))
  for (int64_t i = 0; i < parts; ++i) {
    try {
      run_part(*plans_[static_cast<size_t>(thread_number())], i);
    } catch (...) {
#pragma omp critical(answering_plan)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace lepton::cpu
