#pragma once
// Texts on the device: token numbers, lengths, and which positions of a sequence made of them are no padding.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/batch.h"
#include "base/error.h"
#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/memory.h"
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

template <class T>
struct TokenValue {
  const int32_t* tokens;
  T* x;
  LEPTON_HD void operator()(int64_t i) const { x[i] = T(static_cast<float>(tokens[i])); }
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
    staged_.resize(static_cast<size_t>(batch_) + graph.nodes.size());
    lengths_ = memory_of<int32_t>(policy, static_cast<int64_t>(staged_.size()));
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

  // Takes a batch up; x [n, length] = its token numbers. Errors (mismatch): tokens that are not those of the graph.
  template <class T>
  void read(P& policy, const Batch& batch, T* x) {
    check_tokens(batch, graph_);
    const int64_t length = graph_.input[0], count = batch.n * length;
    for (int64_t s = 0; s < batch.n; ++s) {
      const int64_t tokens = kernels::text_length(batch.tokens.data() + s * length, length);
      staged_[static_cast<size_t>(s)] = static_cast<int32_t>(tokens);
    }
    for (size_t id = 0; id < graph_.nodes.size(); ++id) total(batch.n, id);
    policy.upload(tokens_.template as<void>(), batch.tokens.data(), count * static_cast<int64_t>(sizeof(int32_t)));
    policy.upload(lengths_.template as<void>(), staged_.data(), lengths_.bytes());
    policy.launch(count, TokenValue<T>{tokens(), x});
  }

 private:
  // Batch-norm alone asks for the positions of the whole batch.
  void total(int64_t n, size_t id) {
    const Node& node = graph_.nodes[id];
    if (node.kind != LayerKind::batchnorm || node.token_stride == 0) return;
    int64_t sum = 0;
    for (int64_t s = 0; s < n; ++s) {
      sum += kernels::valid_positions(staged_[static_cast<size_t>(s)], node.token_stride, node.shape[0]);
    }
    staged_[static_cast<size_t>(batch_) + id] = static_cast<int32_t>(sum);
  }

  const Graph& graph_;
  int64_t batch_;
  Memory<P> tokens_, lengths_;   // lengths_: [batch] of each text, then [nodes] of each node's positions in all
  std::vector<int32_t> staged_;  // what goes into lengths_
};

}  // namespace lepton::cuda
