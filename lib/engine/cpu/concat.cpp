#include <algorithm>

#include "engine/cpu/ops.h"

namespace lepton::cpu {
namespace {

// One part of a joined value: the channels from `first` on.
struct Part {
  Map map;
  int64_t first;
  int value, gradient = -1;
};

template <class T>
class Concat : public ConcatOp {
 public:
  Concat(const Step& step, int64_t batch, const std::vector<Value>& inputs, const Value& out)
      : map_(out.map), batch_(batch), out_(out.buffer) {
    node = step.node;
    int64_t first = 0;
    for (const Value& input : inputs) {
      parts_.push_back({input.map, first, input.buffer});
      first += input.map.c;
      forward_buffers.push_back(input.buffer);
    }
    forward_buffers.push_back(out_);
  }

  void set_gradients(int dy, const std::vector<int>& dx) override {
    dy_ = dy;
    backward_buffers = {dy};
    for (size_t i = 0; i < parts_.size(); ++i) {
      parts_[i].gradient = dx[i];
      if (dx[i] >= 0) backward_buffers.push_back(dx[i]);
    }
  }

  void bind(const Arena& arena) override { arena_ = &arena; }

  void forward(const Run&) override {
    T* y = arena_->as<T>(out_);
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < batch_; ++s) {
      T* to = y + s * map_.sample();
      if (map_.c % simd().lanes != 0) std::fill_n(to + (map_.blocks() - 1) * map_.plane(), map_.plane(), T{});
      for (const Part& part : parts_) join(part, arena_->as<T>(part.value) + s * part.map.sample(), to);
    }
  }

  void backward(const Run&) override {
    const T* dy = arena_->as<T>(dy_);
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < batch_; ++s) {
      for (const Part& part : parts_) {
        if (part.gradient < 0) continue;
        split(part, dy + s * map_.sample(), arena_->as<T>(part.gradient) + s * part.map.sample());
      }
    }
  }

 private:
  // Whole blocks are copied as they lie, where the part begins with one; what else there is channel by channel.
  static int64_t whole_blocks(const Part& part) {
    return part.first % simd().lanes == 0 ? part.map.c / simd().lanes : 0;
  }

  void join(const Part& part, const T* x, T* y) const {
    const int64_t lanes = simd().lanes, blocks = whole_blocks(part);
    std::copy_n(x, blocks * map_.plane(), y + part.first / lanes * map_.plane());
    for (int64_t c = blocks * lanes; c < part.map.c; ++c) {
      const T* from = x + part.map.place(0, c);
      T* to = y + map_.place(0, part.first + c);
      for (int64_t pixel = 0; pixel < map_.pixels(); ++pixel) to[pixel * lanes] = from[pixel * lanes];
    }
  }

  void split(const Part& part, const T* dy, T* dx) const {
    const int64_t lanes = simd().lanes, blocks = whole_blocks(part);
    std::copy_n(dy + part.first / lanes * map_.plane(), blocks * map_.plane(), dx);
    if (blocks < part.map.blocks()) std::fill(dx + blocks * map_.plane(), dx + part.map.sample(), T{});
    for (int64_t c = blocks * lanes; c < part.map.c; ++c) {
      const T* from = dy + map_.place(0, part.first + c);
      T* to = dx + part.map.place(0, c);
      for (int64_t pixel = 0; pixel < map_.pixels(); ++pixel) to[pixel * lanes] = from[pixel * lanes];
    }
  }

  Map map_;
  int64_t batch_;
  int out_, dy_ = -1;
  std::vector<Part> parts_;
  const Arena* arena_ = nullptr;
};

}  // namespace

std::unique_ptr<ConcatOp> make_concat(const Step& step, int64_t batch, const std::vector<Value>& inputs,
                                      const Value& out) {
  return with_element(out.element, [&]<class T>(T) -> std::unique_ptr<ConcatOp> {
    return std::make_unique<Concat<T>>(step, batch, inputs, out);
  });
}

std::vector<Value> inputs_of(const Step& step, const std::vector<Value>& values) {
  std::vector<Value> inputs;
  step.over_inputs([&](int value) { inputs.push_back(values[static_cast<size_t>(value)]); });
  return inputs;
}

}  // namespace lepton::cpu
