// Texts: their lengths, the table of their tokens, and the padding behind them.
#include <algorithm>

#include "base/error.h"
#include "engine/cpu/ops.h"
#include "kernels/sequence.h"

namespace lepton::cpu {

Texts::Texts(const Graph& graph, int64_t batch)
    : graph_(graph), lengths_(static_cast<size_t>(graph.tokens > 0 ? batch : 0)) {}

const int64_t* Texts::read(const Batch& batch) {
  if (lengths_.empty()) return nullptr;
  check_tokens(batch, graph_);
  const int64_t most = graph_.input[0];
  std::fill(lengths_.begin(), lengths_.end(), 0);
  for (int64_t s = 0; s < batch.n; ++s) {
    lengths_[static_cast<size_t>(s)] = kernels::text_length(batch.tokens.data() + s * most, most);
  }
  return lengths_.data();
}

int64_t Positions::of(const Run& run, int64_t sample) const {
  return stride == 0 ? extent : kernels::valid_positions(run.lengths[sample], stride, extent);
}

namespace {

class TokenInput : public Op {
 public:
  TokenInput(const EngineOptions& options, int64_t length, const Value& out)
      : batch_(options.batch), length_(length), stride_(out.map.sample()), out_(out.buffer) {
    if (!options.mean.empty() || !options.std.empty()) {
      fail(Exit::mismatch, "cpu: tokens have no mean and no standard deviation");
    }
    forward_buffers = {out_};
  }

  void bind(const Arena& arena) override { data_ = arena.at(out_); }

  void forward(const Run& run) override {
    std::fill_n(data_, batch_ * stride_, 0.0F);
    for (int64_t s = 0; s < run.n; ++s) {
      std::copy_n(run.batch->tokens.begin() + s * length_, length_, data_ + s * stride_);
    }
  }

 private:
  int64_t batch_, length_, stride_;
  int out_;
  float* data_ = nullptr;
};

// One sample's rows of the table into its blocked map; zeros for padding.
void gather(const float* table, const int32_t* tokens, int64_t length, const Map& map, float* y) {
  const int64_t lanes = simd().lanes, width = map.blocks() * lanes;
  for (int64_t b = 0; b < map.blocks(); ++b) {
    float* to = y + b * map.plane();
    const float* block = table + b * lanes;
    for (int64_t t = 0; t < length; ++t, to += lanes) {
      if (tokens[t] == 0) {
        std::fill_n(to, lanes, 0.0F);
      } else {
        std::copy_n(block + tokens[t] * width, lanes, to);
      }
    }
    std::fill(to, y + (b + 1) * map.plane(), 0.0F);
  }
}

void gather_batch(const Run& run, const float* table, int64_t batch, const Map& map, float* y) {
#pragma omp parallel for schedule(static)
  for (int64_t s = 0; s < batch; ++s) {
    const int32_t* tokens = s < run.n ? run.batch->tokens.data() + s * map.h : nullptr;
    gather(table, tokens, run.lengths[s], map, y + s * map.sample());
  }
}

class TrainingEmbed : public TrainingOp {
 public:
  TrainingEmbed(const Step& step, const Node& layer, int64_t batch, const Value& out, Parameters& parameters)
      : map_(out.map), batch_(batch), out_(out.buffer), parameters_(parameters) {
    node = step.node;
    const Shape& table = layer.parameters[0].shape;
    parameters.set_packing(node, Role::table, pack_table(table));
    forward_buffers = {out_};
    if (!layer.parameters[0].trainable) return;
    const int64_t places = batch * map_.h, most = std::min(places, table[0]);
    parameters.table.width = map_.blocks() * simd().lanes;
    parameters.table.rows = AlignedFloats(most * parameters.table.width);
    parameters.table.tokens.reserve(static_cast<size_t>(most));
    row_of_.assign(static_cast<size_t>(table[0]), -1);
    begins_.reserve(static_cast<size_t>(most) + 1);
    places_.resize(static_cast<size_t>(places));
  }

  void set_gradients(int dy, int, int) override {
    dy_ = dy;
    backward_buffers = {dy};
  }

  void bind(const Arena& arena) override {
    arena_ = &arena;
    table_ = parameters_.value(*parameters_.find(node, Role::table));
  }

  void forward(const Run& run) override { gather_batch(run, table_, batch_, map_, arena_->at(out_)); }

  // Each row sums its places in the order of the batch, on whichever thread.
  void backward(const Run& run) override {
    sort(run);
    TableGradient& gradient = parameters_.table;
    const auto rows = static_cast<int64_t>(gradient.tokens.size());
#pragma omp parallel for schedule(dynamic, 16)
    for (int64_t r = 0; r < rows; ++r) sum(r, gradient.rows.data() + r * gradient.width);
  }

 private:
  // Places by token: those of row r are places_[begins_[r], begins_[r + 1]).
  void sort(const Run& run) {
    std::vector<int32_t>& tokens = parameters_.table.tokens;
    tokens.clear();
    begins_.clear();
    for (const int32_t token : run.batch->tokens.first(static_cast<size_t>(run.n * map_.h))) {
      if (token == 0) continue;
      int32_t& row = row_of_[static_cast<size_t>(token)];
      if (row < 0) {
        row = static_cast<int32_t>(tokens.size());
        tokens.push_back(token);
        begins_.push_back(0);
      }
      ++begins_[static_cast<size_t>(row)];
    }
    int32_t end = 0;
    for (int32_t& begin : begins_) begin = end += begin;  // where the row ends, until its places are filled from behind
    begins_.push_back(end);
    fill_places(run);
    for (const int32_t token : tokens) row_of_[static_cast<size_t>(token)] = -1;
  }

  void fill_places(const Run& run) {
    for (int64_t s = run.n; s-- > 0;) {
      const int32_t* tokens = run.batch->tokens.data() + s * map_.h;
      for (int64_t t = run.lengths[s]; t-- > 0;) {
        if (tokens[t] == 0) continue;
        int32_t& begin = begins_[static_cast<size_t>(row_of_[static_cast<size_t>(tokens[t])])];
        places_[static_cast<size_t>(--begin)] = static_cast<int32_t>(s * map_.h + t);
      }
    }
  }

  void sum(int64_t row, float* total) const {
    const int64_t lanes = simd().lanes;
    const float* dy = arena_->at(dy_);
    std::fill_n(total, parameters_.table.width, 0.0F);
    for (int32_t i = begins_[static_cast<size_t>(row)]; i < begins_[static_cast<size_t>(row) + 1]; ++i) {
      const int64_t place = places_[static_cast<size_t>(i)];
      const float* from = dy + place / map_.h * map_.sample() + place % map_.h * lanes;
      for (int64_t b = 0; b < map_.blocks(); ++b) {
        const float* x = from + b * map_.plane();
        float* to = total + b * lanes;
#pragma omp simd
        for (int64_t lane = 0; lane < lanes; ++lane) to[lane] += x[lane];
      }
    }
  }

  Map map_;
  int64_t batch_;
  int out_, dy_ = -1;
  Parameters& parameters_;
  const Arena* arena_ = nullptr;
  const float* table_ = nullptr;
  std::vector<int32_t> row_of_;  // token -> row of the gradient, -1 between steps
  std::vector<int32_t> begins_, places_;
};

class InferenceEmbed : public Op {
 public:
  InferenceEmbed(const Step& step, const Node& layer, int64_t batch, const Value& out, const ParameterSet& plain)
      : map_(out.map), batch_(batch), out_(out.buffer) {
    node = step.node;
    forward_buffers = {out_};
    const NamedTensor& table = plain.at(layer.name + "/table");
    const Packing packing = pack_table(table.shape);
    table_ = AlignedFloats(packing.size);
    pack(packing, table.shape, table.values.data(), table_.data());
  }

  void bind(const Arena& arena) override { arena_ = &arena; }
  void forward(const Run& run) override { gather_batch(run, table_.data(), batch_, map_, arena_->at(out_)); }

 private:
  Map map_;
  int64_t batch_;
  int out_;
  AlignedFloats table_;
  const Arena* arena_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_token_input(const EngineOptions& options, int64_t length, const Value& out) {
  return std::make_unique<TokenInput>(options, length, out);
}

std::unique_ptr<TrainingOp> make_embed(const Step& step, const Node& node, int64_t batch, const Value&,
                                       const Value& out, Parameters& parameters) {
  return std::make_unique<TrainingEmbed>(step, node, batch, out, parameters);
}

std::unique_ptr<Op> make_inference_embed(const Step& step, const Node& node, int64_t batch, const Value&,
                                         const Value& out, const ParameterSet& plain) {
  return std::make_unique<InferenceEmbed>(step, node, batch, out, plain);
}

}  // namespace lepton::cpu
