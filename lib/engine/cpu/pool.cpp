#include <algorithm>

#include "engine/cpu/ops.h"

namespace lepton::cpu {

PoolShape pool_shape(const Node& node, const Map& in, const Map& out) {
  if (node.kind == LayerKind::globalmax || node.kind == LayerKind::globalavg) {
    return {in.h, in.w, 1, 1, in.h, in.w, in.h, in.w, 0, 0};
  }
  const Attributes& a = node.attributes;
  return {in.h, in.w, out.h, out.w, a.kernel_h, a.kernel_w, a.stride_h, a.stride_w, a.pad_top, a.pad_left};
}

namespace {

template <class T>
class Pool : public TrainingOp {
 public:
  Pool(const Step& step, const Node& layer, const Node& from, int64_t batch, bool training, bool masked,
       const Value& in, const Value& out, Arena& arena)
      : shape_(pool_shape(layer, in.map, out.map)),
        positions_(from),
        text_(positions_.some() && layer.shape.rank() == 1),
        blocks_(in.map.blocks()),
        max_(step.kind == StepKind::maxpool),
        masked_(masked),
        planes_(batch * in.map.blocks()),
        in_plane_(in.map.plane()),
        out_plane_(out.map.plane()),
        in_(in.buffer),
        out_(out.buffer) {
    node = step.node;
    forward_buffers = {in_, out_};
    if (max_ && training) {
      index_ = arena.add(planes_ * out_plane_);
      forward_buffers.push_back(index_);
    }
  }

  void set_gradients(int dy, int, int dx) override {
    dy_ = dy;
    dx_ = dx;
    backward_buffers = {dy, dx};
    if (max_) backward_buffers.push_back(index_);
    if (masked_) backward_buffers.push_back(out_);
  }

  void bind(const Arena& arena) override { arena_ = &arena; }

  void forward(const Run& run) override {
    const T* x = arena_->as<T>(in_);
    T* y = arena_->as<T>(out_);
    int32_t* index = arena_->as<int32_t>(index_);
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < planes_; ++p) {
      const T* from = x + p * in_plane_;
      T* to = y + p * out_plane_;
      const PoolShape shape = shape_of(run, p);
      if (shape.h == 0) {
        std::fill_n(to, out_plane_, T{});
      } else if (max_) {
        rows_of<T>().maxpool(from, to, index == nullptr ? nullptr : index + p * out_plane_, shape);
      } else {
        rows_of<T>().avgpool(from, to, shape);
      }
    }
  }

  void backward(const Run& run) override {
    const T *dy = arena_->as<T>(dy_), *relu = masked_ ? arena_->as<T>(out_) : nullptr;
    T* dx = arena_->as<T>(dx_);
    const int32_t* index = arena_->as<int32_t>(index_);
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < planes_; ++p) {
      const T* from = dy + p * out_plane_;
      T* to = dx + p * in_plane_;
      const PoolShape shape = shape_of(run, p);
      if (text_) std::fill(to + shape.h * simd().lanes, to + in_plane_, T{});
      if (shape.h == 0) continue;
      if (max_) {
        rows_of<T>().maxpool_backward(from, relu == nullptr ? nullptr : relu + p * out_plane_, index + p * out_plane_,
                                      to, shape);
      } else {
        rows_of<T>().avgpool_backward(from, to, shape);
      }
    }
  }

 private:
  // Of a text only what it holds is pooled, which may be nothing.
  PoolShape shape_of(const Run& run, int64_t plane) const {
    if (!text_) return shape_;
    const int64_t valid = positions_.of(run, plane / blocks_);
    return {valid, 1, 1, 1, valid, 1, valid, 1, 0, 0};
  }

  PoolShape shape_;
  Positions positions_;
  bool text_;  // a whole text is pooled
  int64_t blocks_;
  bool max_, masked_;
  int64_t planes_, in_plane_, out_plane_;
  int in_, out_, index_ = -1, dy_ = -1, dx_ = -1;
  const Arena* arena_ = nullptr;
};

}  // namespace

std::unique_ptr<TrainingOp> make_pool(const Step& step, const Node& node, const Node& from, int64_t batch,
                                      bool training, bool masked, const Value& in, const Value& out, Arena& arena) {
  return with_element(in.element, [&]<class T>(T) -> std::unique_ptr<TrainingOp> {
    return std::make_unique<Pool<T>>(step, node, from, batch, training, masked, in, out, arena);
  });
}

}  // namespace lepton::cpu
