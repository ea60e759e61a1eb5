#pragma once
// Branches side by side: values joined along the last axis, and their gradient split.
#include <cstdint>
#include <utility>
#include <vector>

#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/op.h"
#include "cuda/pointwise.h"

namespace lepton::cuda {

// y [rows, all], from channel `first` on, = x [rows, channels].
template <class T>
struct Join {
  Divisor channels;
  int64_t all, first;
  const T* x;
  T* y;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [row, channel] = channels(i);
    y[row * all + first + channel] = x[i];
  }
};

// dx [rows, channels] = that part of dy [rows, all].
template <class T>
struct Split {
  Divisor channels;
  int64_t all, first;
  const T* dy;
  T* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [row, channel] = channels(i);
    put(dx[i], add, dy[row * all + first + channel]);
  }
};

template <class P, class T>
class ConcatOp : public Op<P, T> {
 public:
  // channels: of each input; rows: of a sample.
  ConcatOp(std::vector<int64_t> channels, int64_t rows) : channels_(std::move(channels)), rows_(rows) {
    for (const int64_t c : channels_) all_ += c;
  }
  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    over_parts([&](size_t i, int64_t first) {
      policy.launch(pass.n * rows_ * channels_[i], Join<T>{Divisor(channels_[i]), all_, first, b.x[i], b.y});
    });
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    over_parts([&](size_t i, int64_t first) {
      if (b.dx[i] == nullptr) return;
      policy.launch(pass.n * rows_ * channels_[i],
                    Split<T>{Divisor(channels_[i]), all_, first, b.dy, b.dx[i], b.add[i]});
    });
  }

 private:
  template <class F>
  void over_parts(F f) const {
    int64_t first = 0;
    for (size_t i = 0; i < channels_.size(); ++i) {
      f(i, first);
      first += channels_[i];
    }
  }

  std::vector<int64_t> channels_;
  int64_t rows_, all_ = 0;
};

}  // namespace lepton::cuda
