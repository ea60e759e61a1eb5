#pragma once
// Texts on the device: token numbers, lengths, and which positions of a sequence made of them are no padding.
#include <cstdint>

#include "base/error.h"
#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/memory.h"
#include "cuda/step.h"
#include "cuda/sums.h"
#include "engine/engine.h"
#include "kernels/sequence.h"
#include "net/graph.h"

namespace lepton::cuda {

// Which rows [n * positions] of a layer's output count: all where there are no lengths [n].
struct Valid {
  const int32_t* lengths = nullptr;
  const double* total = nullptr;   // rows that count in the whole batch
  int64_t stride = 0, extent = 1;  // tokens from one position to the next; positions
  Divisor positions{1};            // by extent

  // Of one sample.
  LEPTON_HD int64_t of(int64_t sample) const { return kernels::valid_positions(lengths[sample], stride, extent); }
  LEPTON_HD bool operator()(int64_t row) const {
    if (lengths == nullptr) return true;
    const auto [sample, position] = positions(row);
    return position < of(sample);
  }
  LEPTON_HD int64_t count(int64_t rows) const { return lengths == nullptr ? rows : static_cast<int64_t>(*total); }
};

// Term of whole_sum over samples.
struct ValidOfSample {
  Valid valid;
  LEPTON_HD double operator()(int64_t sample) const { return static_cast<double>(valid.of(sample)); }
};

// The batch's tokens where the layers look for them, and as the network's input.
template <class T>
struct TakeTokens {
  const StepNumbers* numbers;
  int32_t* tokens;
  T* x;
  LEPTON_HD void operator()(int64_t i) const {
    tokens[i] = numbers->batch.tokens[i];
    x[i] = T(static_cast<float>(tokens[i]));
  }
};

constexpr int64_t kTokenRun = 16;  // tokens that one element of a launch looks through

// ends [n, runs]: of each run of a text, the position behind its last token that is not padding; 0 where all are.
struct RunEnd {
  int64_t length;
  Divisor runs;
  const int32_t* tokens;
  int32_t* ends;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [sample, run] = runs(i);
    const int64_t begin = run * kTokenRun, end = begin + kTokenRun < length ? begin + kTokenRun : length;
    const int64_t inside = kernels::text_length(tokens + sample * length + begin, end - begin);
    ends[i] = static_cast<int32_t>(inside > 0 ? begin + inside : 0);
  }
};

struct TextLength {
  int64_t runs;
  const int32_t* ends;
  int32_t* lengths;

  LEPTON_HD void operator()(int64_t sample) const {
    int32_t length = 0;
    for (int64_t run = 0; run < runs; ++run) {
      const int32_t end = ends[sample * runs + run];
      length = end > length ? end : length;
    }
    lengths[sample] = length;
  }
};

// Empty where the graph's samples are no texts.
template <class P>
class Texts {
 public:
  Texts(P& policy, const Graph& graph, const EngineOptions& options) : graph_(graph), training_(options.training) {
    if (graph.tokens == 0) return;
    if (!options.mean.empty() || !options.std.empty()) {
      fail(Exit::mismatch, "cuda: tokens have no mean and no standard deviation");
    }
    length_ = graph.input[0];
    runs_ = (length_ + kTokenRun - 1) / kTokenRun;
    tokens_ = memory_of<int32_t>(policy, options.batch * length_);
    ends_ = memory_of<int32_t>(policy, options.batch * runs_);
    lengths_ = memory_of<int32_t>(policy, options.batch);
    totals_ = memory_of<double>(policy, std::ssize(graph.nodes));
    room_ = memory_of<double>(policy, whole_sum_room(options.batch));
  }

  const int32_t* tokens() const { return tokens_.template as<int32_t>(); }  // [n, length()] of the batch run last
  int64_t length() const { return length_; }

  // Which positions of a node count in the batch run last.
  Valid of(NodeId id) const {
    const Node& node = graph_.nodes[static_cast<size_t>(id)];
    if (node.token_stride == 0) return {};
    return {lengths_.template as<int32_t>(), totals_.template as<double>() + id, node.token_stride, node.shape[0],
            Divisor(node.shape[0])};
  }

  // x [n, length] = the tokens of the batch that `numbers` speaks of.
  template <class T>
  void read(P& policy, int64_t n, const StepNumbers* numbers, T* x) {
    auto *ends = ends_.template as<int32_t>(), *lengths = lengths_.template as<int32_t>();
    policy.launch(n * length_, TakeTokens<T>{numbers, tokens_.template as<int32_t>(), x});
    policy.launch(n * runs_, RunEnd{length_, Divisor(runs_), tokens(), ends});
    policy.launch(n, TextLength{runs_, ends, lengths});
    if (!training_) return;
    for (NodeId id = 0; id <= graph_.output(); ++id) {
      const bool norm = graph_.nodes[static_cast<size_t>(id)].kind == LayerKind::batchnorm;
      const Valid valid = of(id);
      if (!norm || valid.lengths == nullptr) continue;
      whole_sum(policy, n, ValidOfSample{valid}, room_.template as<double>(), totals_.template as<double>() + id);
    }
  }

 private:
  const Graph& graph_;
  bool training_;
  int64_t length_ = 0, runs_ = 0;
  Memory<P> tokens_, ends_, lengths_;
  Memory<P> totals_;  // [nodes], of batch-norms alone
  Memory<P> room_;    // of whole_sum
};

}  // namespace lepton::cuda
