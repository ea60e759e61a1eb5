#pragma once
// Layers of texts: the rows of a table, padding set to 0, and global pools that leave padding out.
#include <cstdint>

#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/memory.h"
#include "cuda/op.h"
#include "cuda/parameters.h"
#include "cuda/pointwise.h"
#include "cuda/texts.h"
#include "kernels/pool.h"
#include "net/graph.h"

namespace lepton::cuda {

// y [places, width] = the tokens' rows of table [tokens, width]; 0 for padding.
template <class T>
struct EmbedRows {
  const int32_t* tokens;
  const float* table;
  Divisor width;
  int64_t columns;
  T* y;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [place, column] = width(i);
    const int64_t token = tokens[place];
    y[i] = T(token == 0 ? 0.0F : table[token * columns + column]);
  }
};

// Rows that do not count become 0.
template <class T>
struct MaskRows {
  Valid valid;
  Divisor channels;
  const T* x;
  T* y;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    put(y[i], add, valid(channels(i).quotient) ? static_cast<float>(x[i]) : 0.0F);
  }
};

// One sample's positions that count, as one window.
LEPTON_HD kernels::Pool text_window(int64_t positions) {
  return {positions, 1, 1, 1, positions, 1, positions, 1, 0, 0};
}

// y [n, channels] = largest of each channel over the positions that count, 0 where none does; where [n, channels]: its
// position, -1 for none, or nullptr.
template <class T>
struct TextMax {
  Valid valid;
  Divisor by_channel;
  int64_t channels;
  const T* x;
  T* y;
  int32_t* where;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [sample, channel] = by_channel(i);
    const T* plane = x + sample * valid.extent * channels + channel;
    const int64_t positions = valid.of(sample);
    const int64_t best =
        positions == 0 ? -1 : kernels::MaxPool<float>{text_window(positions)}.where(plane, channels, 0, 0);
    y[i] = best < 0 ? T(0.0F) : plane[best * channels];
    if (where != nullptr) where[i] = static_cast<int32_t>(best);
  }
};

// The mean likewise.
template <class T>
struct TextMean {
  Valid valid;
  Divisor by_channel;
  int64_t channels;
  const T* x;
  T* y;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [sample, channel] = by_channel(i);
    const T* plane = x + sample * valid.extent * channels + channel;
    const int64_t positions = valid.of(sample);
    y[i] = T(positions == 0 ? 0.0F : kernels::AvgPool<float>{text_window(positions)}.value(plane, channels, 0, 0));
  }
};

// dx [n, positions, channels] of either; where: nullptr for the mean.
template <class T>
struct TextPoolBack {
  Valid valid;
  Divisor by_channel;
  int64_t channels;
  const int32_t* where;
  const T* dy;
  T* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [row, channel] = by_channel(i);
    const auto [sample, position] = valid.positions(row);
    const int64_t out = sample * channels + channel, positions = valid.of(sample);
    float gradient = 0;
    if (where != nullptr) {
      if (where[out] == position) gradient = dy[out];
    } else if (positions > 0) {
      gradient = kernels::AvgPool<float>{text_window(positions)}.gradient(dy + out, channels, position, 0);
    }
    put(dx[i], add, gradient);
  }
};

template <class P, class T>
class EmbedOp : public Op<P, T> {
 public:
  EmbedOp(NodeId id, const Parameters<P>& parameters, const Texts<P>& texts, int64_t width)
      : table_(parameters.find(id, Role::table).value),
        gradient_(parameters.table.get()),
        tokens_(texts.tokens()),
        length_(texts.length()),
        width_(width) {}

  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    policy.launch(pass.n * length_ * width_, EmbedRows<T>{tokens_, table_, Divisor(width_), width_, b.y});
  }
  void backward(P&, const Pass& pass, const Buffers<T>& b) override {
    gradient_->compute(tokens_, pass.n * length_, b.dy);
  }

 private:
  const float* table_;
  TableGradient<P>* gradient_;  // nullptr where the table is not trained
  const int32_t* tokens_;
  int64_t length_, width_;
};

template <class P, class T>
class MaskOp : public Op<P, T> {
 public:
  MaskOp(const Shape& shape, const Valid& valid) : elements_(shape.elements()), channels_(shape[2]), valid_(valid) {}

  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    policy.launch(pass.n * elements_, MaskRows<T>{valid_, channels_, b.x[0], b.y, false});
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (b.dx[0] != nullptr) policy.launch(pass.n * elements_, MaskRows<T>{valid_, channels_, b.dy, b.dx[0], b.add[0]});
  }

 private:
  int64_t elements_;
  Divisor channels_;
  Valid valid_;
};

// globalmax and globalavg of a sequence of tokens; `in` is its shape.
template <class P, class T>
class TextPoolOp : public Op<P, T> {
 public:
  TextPoolOp(P& policy, LayerKind kind, const Shape& in, const Valid& valid, int64_t batch, bool training)
      : largest_(kind == LayerKind::globalmax), in_(in.elements()), channels_(in[2]), valid_(valid) {
    if (training && largest_) where_ = memory_of<int32_t>(policy, batch * channels_);
  }

  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    const int64_t count = pass.n * channels_;
    const Divisor by_channel(channels_);
    if (!largest_) return policy.launch(count, TextMean<T>{valid_, by_channel, channels_, b.x[0], b.y});
    int32_t* where = pass.training ? where_.template as<int32_t>() : nullptr;
    policy.launch(count, TextMax<T>{valid_, by_channel, channels_, b.x[0], b.y, where});
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (b.dx[0] == nullptr) return;
    const int32_t* where = largest_ ? where_.template as<int32_t>() : nullptr;
    policy.launch(pass.n * in_, TextPoolBack<T>{valid_, Divisor(channels_), channels_, where, b.dy, b.dx[0], b.add[0]});
  }

 private:
  bool largest_;
  int64_t in_, channels_;
  Valid valid_;
  Memory<P> where_;
};

}  // namespace lepton::cuda
