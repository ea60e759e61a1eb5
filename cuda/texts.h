#pragma once
// Texts on the device: token numbers, lengths, and which positions of a sequence made of them are no padding.
#include <cstdint>

#include "base/error.h"
#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/memory.h"
#include "cuda/step.h"
#include "engine/engine.h"
#include "kernels/sequence.h"
#include "net/graph.h"

namespace lepton::cuda {

// Which rows [n * positions] of a layer's output count: all where there are no lengths [n].
struct Valid {
  const int32_t* lengths = nullptr;
  const int32_t* total = nullptr;  // of the whole batch
  int64_t stride = 0, extent = 1;  // tokens from one position to the next; positions
  Divisor positions{1};            // by extent

  // Of one sample.
  LEPTON_HD int64_t of(int64_t sample) const { return kernels::valid_positions(lengths[sample], stride, extent); }
  LEPTON_HD bool operator()(int64_t row) const {
    if (lengths == nullptr) return true;
    const auto [sample, position] = positions(row);
    return position < of(sample);
  }
  LEPTON_HD int64_t count(int64_t rows) const { return lengths == nullptr ? rows : *total; }
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

struct TextLengths {
  const int32_t* tokens;
  int64_t length;
  int32_t* lengths;
  LEPTON_HD void operator()(int64_t s) const {
    lengths[s] = static_cast<int32_t>(kernels::text_length(tokens + s * length, length));
  }
};

// One launch of 1.
struct TotalPositions {
  Valid valid;
  int64_t n;
  int32_t* total;
  LEPTON_HD void operator()(int64_t) const {
    int64_t sum = 0;
    for (int64_t s = 0; s < n; ++s) sum += valid.of(s);
    *total = static_cast<int32_t>(sum);
  }
};

// Empty where the graph's samples are no texts.
template <class P>
class Texts {
 public:
  Texts(P& policy, const Graph& graph, const EngineOptions& options) : graph_(graph), batch_(options.batch) {
    if (graph.tokens == 0) return;
    if (!options.mean.empty() || !options.std.empty()) {
      fail(Exit::mismatch, "cuda: tokens have no mean and no standard deviation");
    }
    tokens_ = memory_of<int32_t>(policy, batch_ * graph.input[0]);
    lengths_ = memory_of<int32_t>(policy, batch_ + std::ssize(graph.nodes));
  }

  int64_t bytes() const { return tokens_.bytes() + lengths_.bytes(); }
  const int32_t* tokens() const { return tokens_.template as<int32_t>(); }
  int64_t length() const { return graph_.input[0]; }

  // Which positions of a node count, in the batch read last.
  Valid of(NodeId id) const {
    const Node& node = graph_.nodes[static_cast<size_t>(id)];
    if (node.token_stride == 0) return {};
    const auto* lengths = lengths_.template as<int32_t>();
    return {lengths, lengths + batch_ + id, node.token_stride, node.shape[0], Divisor(node.shape[0])};
  }

  // x [n, length] = the tokens of the batch that `numbers` speaks of.
  template <class T>
  void read(P& policy, int64_t n, const StepNumbers* numbers, T* x) {
    auto *tokens = tokens_.template as<int32_t>(), *lengths = lengths_.template as<int32_t>();
    policy.launch(n * length(), TakeTokens<T>{numbers, tokens, x});
    policy.launch(n, TextLengths{tokens, length(), lengths});
    for (NodeId id = 0; id <= graph_.output(); ++id) {
      const Node& node = graph_.nodes[static_cast<size_t>(id)];
      if (node.kind != LayerKind::batchnorm || node.token_stride == 0) continue;  // no other layer asks for it
      policy.launch(1, TotalPositions{of(id), n, lengths + batch_ + id});
    }
  }

 private:
  const Graph& graph_;
  int64_t batch_;
  Memory<P> tokens_, lengths_;  // lengths_: [batch] of each text, then [nodes] of each node's positions in all
};

}  // namespace lepton::cuda
