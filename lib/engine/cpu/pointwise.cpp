#include <algorithm>

#include "engine/cpu/ops.h"
#include "kernels/dropout.h"

namespace lepton::cpu {
namespace {

// What all sample-wise operations share: one call of row() for each sample, forward and backward.
template <class T>
class SampleOp : public TrainingOp {
 public:
  SampleOp(NodeId id, int64_t batch, const Value& in, const Value& out)
      : from_(in.map), to_(out.map), batch_(batch), in_(in.buffer), out_(out.buffer) {
    node = id;
    forward_buffers = {in_, out_};
  }

  void set_gradients(int dy, int, int dx) override {
    dy_ = dy;
    dx_ = dx;
    backward_buffers = {dy, dx, in_};
  }

  void bind(const Arena& arena) override { arena_ = &arena; }

  void forward(const Run& run) override {
    const T* x = arena_->as<T>(in_);
    T* y = arena_->as<T>(out_);
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < batch_; ++s) forward_sample(run, s, x + s * from_.sample(), y + s * to_.sample());
  }

  void backward(const Run& run) override {
    const T *x = arena_->as<T>(in_), *dy = arena_->as<T>(dy_);
    T* dx = arena_->as<T>(dx_);
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < batch_; ++s) {
      backward_sample(run, s, x + s * from_.sample(), dy + s * to_.sample(), dx + s * from_.sample());
    }
  }

 protected:
  virtual void forward_sample(const Run& run, int64_t s, const T* x, T* y) const = 0;
  virtual void backward_sample(const Run& run, int64_t s, const T* x, const T* dy, T* dx) const = 0;
  int64_t rows() const { return from_.sample() / simd().lanes; }

  Map from_, to_;

 private:
  int64_t batch_;
  int in_, out_, dy_ = -1, dx_ = -1;
  const Arena* arena_ = nullptr;
};

template <class T>
class ActOp : public SampleOp<T> {
 public:
  ActOp(const Step& step, int64_t batch, const Value& in, const Value& out)
      : SampleOp<T>(step.node, batch, in, out), act_(step.act) {}

 private:
  void forward_sample(const Run&, int64_t, const T* x, T* y) const override {
    rows_of<T>().activate(x, y, this->rows(), act_);
  }
  void backward_sample(const Run&, int64_t, const T* x, const T* dy, T* dx) const override {
    rows_of<T>().activate_backward(x, dy, dx, this->rows(), act_);
  }
  Act act_;
};

template <class T>
class ScaleOp : public SampleOp<T> {
 public:
  ScaleOp(const Step& step, float factor, int64_t batch, const Value& in, const Value& out)
      : SampleOp<T>(step.node, batch, in, out), factor_(factor) {}

 private:
  void forward_sample(const Run&, int64_t, const T* x, T* y) const override {
    rows_of<T>().scale(x, y, this->rows(), factor_);
  }
  void backward_sample(const Run&, int64_t, const T*, const T* dy, T* dx) const override {
    rows_of<T>().scale(dy, dx, this->rows(), factor_);
  }
  float factor_;
};

// Each value is kept or dropped by its own random number, named by node, step and place in N H W C order; so the
// backward pass draws the same numbers again instead of keeping a mask.
template <class T>
class DropoutOp : public SampleOp<T> {
 public:
  DropoutOp(const Step& step, float rate, uint64_t seed, int64_t batch, const Value& in, const Value& out)
      : SampleOp<T>(step.node, batch, in, out), rate_(rate), seed_(seed) {}

 private:
  void forward_sample(const Run& run, int64_t s, const T* x, T* y) const override { drop(run, s, x, y); }
  void backward_sample(const Run& run, int64_t s, const T*, const T* dy, T* dx) const override { drop(run, s, dy, dx); }

  void drop(const Run& run, int64_t s, const T* from, T* to) const {
    std::fill_n(to, this->from_.sample(), T{});
    const kernels::Dropout dropout{seed_, static_cast<uint64_t>(run.step), this->node, rate_};
    const float factor = 1.0F / (1.0F - rate_);
    uint64_t drawn = ~uint64_t{0};
    Random4 random{};
    for (int64_t pixel = 0; pixel < this->from_.pixels(); ++pixel) {
      for (int64_t c = 0; c < this->from_.c; ++c) {
        const auto index = static_cast<uint64_t>((s * this->from_.pixels() + pixel) * this->from_.c + c);
        if (index / 4 != drawn) {
          drawn = index / 4;
          random = dropout.draw(drawn);
        }
        const int64_t place = this->from_.place(pixel, c);
        if (dropout.kept(random, index)) to[place] = T(static_cast<float>(from[place]) * factor);
      }
    }
  }

  float rate_;
  uint64_t seed_;
};

template <class T>
class MaskOp : public SampleOp<T> {
 public:
  MaskOp(const Step& step, const Node& layer, int64_t batch, const Value& in, const Value& out)
      : SampleOp<T>(step.node, batch, in, out), positions_(layer) {}

 private:
  void forward_sample(const Run& run, int64_t s, const T* x, T* y) const override { copy(run, s, x, y); }
  void backward_sample(const Run& run, int64_t s, const T*, const T* dy, T* dx) const override { copy(run, s, dy, dx); }

  void copy(const Run& run, int64_t s, const T* from, T* to) const {
    const int64_t valid = positions_.of(run, s) * simd().lanes, plane = this->from_.plane();
    for (int64_t b = 0; b < this->from_.blocks(); ++b) {
      std::copy_n(from + b * plane, valid, to + b * plane);
      std::fill(to + b * plane + valid, to + (b + 1) * plane, T{});
    }
  }

  Positions positions_;
};

// A map to one row in H W C order.
template <class T>
class FlattenOp : public SampleOp<T> {
 public:
  FlattenOp(const Step& step, int64_t batch, const Value& in, const Value& out)
      : SampleOp<T>(step.node, batch, in, out) {}

 private:
  void forward_sample(const Run&, int64_t, const T* x, T* y) const override {
    unblock(this->from_, x, y);
    std::fill(y + this->to_.c, y + this->to_.sample(), T{});
  }
  void backward_sample(const Run&, int64_t, const T*, const T* dy, T* dx) const override { block(this->from_, dy, dx); }
};

template <class T>
class AddOp : public Op {
 public:
  AddOp(NodeId id, int64_t batch, const Map& map, int a, int b, int y) : map_(map), batch_(batch), a_(a), b_(b), y_(y) {
    node = id;
    forward_buffers = {a, b, y};
    backward_buffers = {a, b, y};
  }

  void bind(const Arena& arena) override { arena_ = &arena; }

  void forward(const Run&) override {
    const T *a = arena_->as<T>(a_), *b = arena_->as<T>(b_);
    T* y = arena_->as<T>(y_);
    const int64_t sample = map_.sample();
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < batch_; ++s) {
      rows_of<T>().add(a + s * sample, b + s * sample, y + s * sample, sample / simd().lanes);
    }
  }

 private:
  Map map_;
  int64_t batch_;
  int a_, b_, y_;
  const Arena* arena_ = nullptr;
};

// From one type of numbers to the other; one of them is float.
template <class From, class To>
class CastOp : public TrainingOp {
 public:
  CastOp(const Step& step, int64_t batch, const Value& in, const Value& out)
      : count_(batch * in.map.sample()), in_(in.buffer), out_(out.buffer) {
    node = step.node;
    forward_buffers = {in_, out_};
  }

  void set_gradients(int dy, int, int dx) override {
    dy_ = dy;
    dx_ = dx;
    backward_buffers = {dy, dx};
  }

  void bind(const Arena& arena) override { arena_ = &arena; }
  void forward(const Run&) override { convert(arena_->as<From>(in_), arena_->as<To>(out_)); }
  void backward(const Run&) override { convert(arena_->as<To>(dy_), arena_->as<From>(dx_)); }

 private:
  template <class A, class B>
  void convert(const A* from, B* to) const {
    constexpr int64_t kPart = 1 << 12;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count_; i += kPart) {
      const int64_t part = std::min(kPart, count_ - i) / simd().lanes;
      if constexpr (std::is_same_v<B, float>) {
        rows_of<A>().to_float(from + i, to + i, part);
      } else {
        rows_of<B>().from_float(from + i, to + i, part);
      }
    }
  }

  int64_t count_;
  int in_, out_, dy_ = -1, dx_ = -1;
  const Arena* arena_ = nullptr;
};

}  // namespace

template <class T>
void relu_gradient(const T* y, const T* dy, T* dz, const Map& map, int64_t batch) {
  const int64_t planes = batch * map.blocks(), plane = map.plane();
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < planes; ++p) {
    rows_of<T>().activate_backward(y + p * plane, dy + p * plane, dz + p * plane, map.pixels(), Act::relu);
  }
}
template void relu_gradient(const float*, const float*, float*, const Map&, int64_t);
template void relu_gradient(const Bf16*, const Bf16*, Bf16*, const Map&, int64_t);

std::unique_ptr<TrainingOp> make_act(const Step& step, int64_t batch, const Value& in, const Value& out) {
  return with_element(in.element, [&]<class T>(T) -> std::unique_ptr<TrainingOp> {
    return std::make_unique<ActOp<T>>(step, batch, in, out);
  });
}

std::unique_ptr<TrainingOp> make_scale(const Step& step, float factor, int64_t batch, const Value& in,
                                       const Value& out) {
  return with_element(in.element, [&]<class T>(T) -> std::unique_ptr<TrainingOp> {
    return std::make_unique<ScaleOp<T>>(step, factor, batch, in, out);
  });
}

std::unique_ptr<TrainingOp> make_dropout(const Step& step, float rate, uint64_t seed, int64_t batch, const Value& in,
                                         const Value& out) {
  return with_element(in.element, [&]<class T>(T) -> std::unique_ptr<TrainingOp> {
    return std::make_unique<DropoutOp<T>>(step, rate, seed, batch, in, out);
  });
}

std::unique_ptr<TrainingOp> make_mask(const Step& step, const Node& node, int64_t batch, const Value& in,
                                      const Value& out) {
  return with_element(in.element, [&]<class T>(T) -> std::unique_ptr<TrainingOp> {
    return std::make_unique<MaskOp<T>>(step, node, batch, in, out);
  });
}

std::unique_ptr<TrainingOp> make_flatten(const Step& step, int64_t batch, const Value& in, const Value& out) {
  return with_element(in.element, [&]<class T>(T) -> std::unique_ptr<TrainingOp> {
    return std::make_unique<FlattenOp<T>>(step, batch, in, out);
  });
}

std::unique_ptr<TrainingOp> make_cast(const Step& step, int64_t batch, const Value& in, const Value& out) {
  if (in.element == Element::bf16) return std::make_unique<CastOp<Bf16, float>>(step, batch, in, out);
  return std::make_unique<CastOp<float, Bf16>>(step, batch, in, out);
}

std::unique_ptr<Op> make_add(NodeId node, int64_t batch, const Value& like, int a, int b, int y) {
  return with_element(like.element, [&]<class T>(T) -> std::unique_ptr<Op> {
    return std::make_unique<AddOp<T>>(node, batch, like.map, a, b, y);
  });
}

}  // namespace lepton::cpu
