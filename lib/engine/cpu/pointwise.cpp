#include <algorithm>

#include "engine/cpu/ops.h"
#include "kernels/dropout.h"

namespace lepton::cpu {
namespace {

// What all sample-wise operations share: one call of row() for each sample, forward and backward.
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
    const float* x = arena_->at(in_);
    float* y = arena_->at(out_);
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < batch_; ++s) forward_sample(run, s, x + s * from_.sample(), y + s * to_.sample());
  }

  void backward(const Run& run) override {
    const float *x = arena_->at(in_), *dy = arena_->at(dy_);
    float* dx = arena_->at(dx_);
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < batch_; ++s) {
      backward_sample(run, s, x + s * from_.sample(), dy + s * to_.sample(), dx + s * from_.sample());
    }
  }

 protected:
  virtual void forward_sample(const Run& run, int64_t s, const float* x, float* y) const = 0;
  virtual void backward_sample(const Run& run, int64_t s, const float* x, const float* dy, float* dx) const = 0;
  int64_t rows() const { return from_.sample() / simd().lanes; }

  Map from_, to_;

 private:
  int64_t batch_;
  int in_, out_, dy_ = -1, dx_ = -1;
  const Arena* arena_ = nullptr;
};

class ActOp : public SampleOp {
 public:
  ActOp(const Step& step, int64_t batch, const Value& in, const Value& out)
      : SampleOp(step.node, batch, in, out), act_(step.act) {}

 private:
  void forward_sample(const Run&, int64_t, const float* x, float* y) const override {
    simd().activate(x, y, rows(), act_);
  }
  void backward_sample(const Run&, int64_t, const float* x, const float* dy, float* dx) const override {
    simd().activate_backward(x, dy, dx, rows(), act_);
  }
  Act act_;
};

class ScaleOp : public SampleOp {
 public:
  ScaleOp(const Step& step, float factor, int64_t batch, const Value& in, const Value& out)
      : SampleOp(step.node, batch, in, out), factor_(factor) {}

 private:
  void forward_sample(const Run&, int64_t, const float* x, float* y) const override {
    simd().scale(x, y, rows(), factor_);
  }
  void backward_sample(const Run&, int64_t, const float*, const float* dy, float* dx) const override {
    simd().scale(dy, dx, rows(), factor_);
  }
  float factor_;
};

// Each value is kept or dropped by its own random number, named by node, step and place in N H W C order; so the
// backward pass draws the same numbers again instead of keeping a mask.
class DropoutOp : public SampleOp {
 public:
  DropoutOp(const Step& step, float rate, uint64_t seed, int64_t batch, const Value& in, const Value& out)
      : SampleOp(step.node, batch, in, out), rate_(rate), seed_(seed) {}

 private:
  void forward_sample(const Run& run, int64_t s, const float* x, float* y) const override { drop(run, s, x, y); }
  void backward_sample(const Run& run, int64_t s, const float*, const float* dy, float* dx) const override {
    drop(run, s, dy, dx);
  }

  void drop(const Run& run, int64_t s, const float* from, float* to) const {
    std::fill_n(to, from_.sample(), 0.0F);
    const kernels::Dropout dropout{seed_, static_cast<uint64_t>(run.step), node, rate_};
    const float factor = 1.0F / (1.0F - rate_);
    uint64_t drawn = ~uint64_t{0};
    Random4 random{};
    for (int64_t pixel = 0; pixel < from_.pixels(); ++pixel) {
      for (int64_t c = 0; c < from_.c; ++c) {
        const auto index = static_cast<uint64_t>((s * from_.pixels() + pixel) * from_.c + c);
        if (index / 4 != drawn) {
          drawn = index / 4;
          random = dropout.draw(drawn);
        }
        const int64_t place = from_.place(pixel, c);
        if (dropout.kept(random, index)) to[place] = from[place] * factor;
      }
    }
  }

  float rate_;
  uint64_t seed_;
};

class MaskOp : public SampleOp {
 public:
  MaskOp(const Step& step, const Node& layer, int64_t batch, const Value& in, const Value& out)
      : SampleOp(step.node, batch, in, out), positions_(layer) {}

 private:
  void forward_sample(const Run& run, int64_t s, const float* x, float* y) const override { copy(run, s, x, y); }
  void backward_sample(const Run& run, int64_t s, const float*, const float* dy, float* dx) const override {
    copy(run, s, dy, dx);
  }

  void copy(const Run& run, int64_t s, const float* from, float* to) const {
    const int64_t valid = positions_.of(run, s) * simd().lanes, plane = from_.plane();
    for (int64_t b = 0; b < from_.blocks(); ++b) {
      std::copy_n(from + b * plane, valid, to + b * plane);
      std::fill(to + b * plane + valid, to + (b + 1) * plane, 0.0F);
    }
  }

  Positions positions_;
};

// A map to one row in H W C order.
class FlattenOp : public SampleOp {
 public:
  FlattenOp(const Step& step, int64_t batch, const Value& in, const Value& out) : SampleOp(step.node, batch, in, out) {}

 private:
  void forward_sample(const Run&, int64_t, const float* x, float* y) const override {
    unblock(from_, x, y);
    std::fill(y + to_.c, y + to_.sample(), 0.0F);
  }
  void backward_sample(const Run&, int64_t, const float*, const float* dy, float* dx) const override {
    block(from_, dy, dx);
  }
};

class AddOp : public Op {
 public:
  AddOp(NodeId id, int64_t batch, const Map& map, int a, int b, int y) : map_(map), batch_(batch), a_(a), b_(b), y_(y) {
    node = id;
    forward_buffers = {a, b, y};
    backward_buffers = {a, b, y};
  }

  void bind(const Arena& arena) override { arena_ = &arena; }

  void forward(const Run&) override {
    const float *a = arena_->at(a_), *b = arena_->at(b_);
    float* y = arena_->at(y_);
    const int64_t sample = map_.sample();
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < batch_; ++s) {
      simd().add(a + s * sample, b + s * sample, y + s * sample, sample / simd().lanes);
    }
  }

 private:
  Map map_;
  int64_t batch_;
  int a_, b_, y_;
  const Arena* arena_ = nullptr;
};

}  // namespace

std::unique_ptr<TrainingOp> make_act(const Step& step, int64_t batch, const Value& in, const Value& out) {
  return std::make_unique<ActOp>(step, batch, in, out);
}

std::unique_ptr<TrainingOp> make_scale(const Step& step, float factor, int64_t batch, const Value& in,
                                       const Value& out) {
  return std::make_unique<ScaleOp>(step, factor, batch, in, out);
}

std::unique_ptr<TrainingOp> make_dropout(const Step& step, float rate, uint64_t seed, int64_t batch, const Value& in,
                                         const Value& out) {
  return std::make_unique<DropoutOp>(step, rate, seed, batch, in, out);
}

std::unique_ptr<TrainingOp> make_mask(const Step& step, const Node& node, int64_t batch, const Value& in,
                                      const Value& out) {
  return std::make_unique<MaskOp>(step, node, batch, in, out);
}

std::unique_ptr<TrainingOp> make_flatten(const Step& step, int64_t batch, const Value& in, const Value& out) {
  return std::make_unique<FlattenOp>(step, batch, in, out);
}

std::unique_ptr<Op> make_add(NodeId node, int64_t batch, const Map& map, int a, int b, int y) {
  return std::make_unique<AddOp>(node, batch, map, a, b, y);
}

}  // namespace lepton::cpu
