#pragma once
// Convolution and dense layer, with bias.
#include <algorithm>
#include <memory>
#include <string>

#include "cuda/conv_choice.h"
#include "cuda/fusion.h"
#include "cuda/op.h"
#include "cuda/parameters.h"
#include "cuda/pointwise.h"
#include "engine/engine.h"

namespace lepton::cuda {

// A dense layer is the 1x1 convolution of maps of one pixel.
inline ConvShape dense_shape(int64_t inputs, int64_t outputs) {
  return {1, 1, inputs, 1, 1, outputs, 1, 1, 1, 1, 0, 0, 1};
}

template <class P, class T>
class ProductOp : public Op<P, T> {
 public:
  // cropped: what a pool behind it leaves of its map, or {0, 0}; relu: computed here (both fusion.h).
  ProductOp(const ConvShape& shape, Fusion::Extent cropped, NodeId id, const Parameters<P>& parameters,
            const Stored<P, T>& stored, const EngineOptions& options, bool relu)
      : whole_(part_of(shape, {}, options)),
        cropped_(part_of(shape, cropped, options)),
        filters_(shape.filters),
        room_(sums_room(options.batch * shape.out_pixels(), shape.filters)),
        kernel_(parameters.find(id, Role::kernel)),
        bias_(parameters.find(id, Role::bias)),
        stored_kernel_(stored.of(kernel_.value)),
        stored_bias_(bias_.value == nullptr ? nullptr : stored.of(bias_.value)),
        relu_(relu) {}

  int64_t work_bytes() const override {
    const int64_t sums = room_ * static_cast<int64_t>(sizeof(double));
    return std::max({whole_.plan->work_bytes(), cropped_.plan->work_bytes(), sums});
  }

  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    const bool relu = relu_ && pass.activate;
    const Part& part = pass.crop ? cropped_ : whole_;
    part.plan->forward(policy, pass.n, b.x[0], stored_kernel_, stored_bias_, relu, b.y, b.work);
    if (relu && stored_bias_ == nullptr) policy.launch(pass.n * part.out_size, ReluInPlace<T>{b.y});
  }

  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    const Part& part = cropped_;
    if (relu_) policy.launch(pass.n * part.out_size, MaskByResult<T>{b.y, b.dy});
    const bool sums =
        kernel_.gradient != nullptr &&
        part.plan->kernel_gradient(policy, pass.n, b.x[0], b.dy, kernel_.gradient, bias_.gradient, b.work);
    if (bias_.gradient != nullptr && !sums) {
      bias_gradient<P, T>(policy, pass.n * part.out_size / filters_, filters_, b.dy, bias_.gradient, b.work);
    }
    if (b.dx[0] != nullptr) {
      part.plan->data_gradient(policy, pass.n, stored_kernel_, b.dy, b.dx[0], b.add[0], b.work);
    }
  }

  std::string describe() const override {
    const bool less = cropped_.out_size < whole_.out_size;
    return whole_.plan->name() + (relu_ ? ", relu in it" : "") + (less ? ", without what the pool leaves out" : "");
  }

 private:
  struct Part {
    std::unique_ptr<ConvPlan<P, T>> plan;
    int64_t out_size;  // values of a sample
  };
  static Part part_of(ConvShape shape, Fusion::Extent extent, const EngineOptions& options) {
    if (extent.height > 0) shape.out_height = extent.height, shape.out_width = extent.width;
    const bool tf32 = options.precision == Precision::tf32;
    return {choose_conv_plan<P, T>(shape, options.batch, tf32, options.window_bytes),
            shape.out_pixels() * shape.filters};
  }

  Part whole_, cropped_;  // of the map
  int64_t filters_;
  int64_t room_;  // doubles of bias_gradient
  Parameters<P>::Place kernel_, bias_;
  const T *stored_kernel_, *stored_bias_;
  bool relu_;
};

}  // namespace lepton::cuda
