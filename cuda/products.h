#pragma once
// Convolution and dense layer, with bias.
#include <algorithm>
#include <memory>
#include <string>

#include "cuda/conv_plan.h"
#include "cuda/op.h"
#include "cuda/parameters.h"
#include "cuda/pointwise.h"

namespace lepton::cuda {

// A dense layer is the 1x1 convolution of maps of one pixel.
inline ConvShape dense_shape(int64_t inputs, int64_t outputs) {
  return {1, 1, inputs, 1, 1, outputs, 1, 1, 1, 1, 0, 0, 1};
}

template <class P>
class ProductOp : public Op<P> {
 public:
  ProductOp(const ConvShape& shape, NodeId id, const Parameters<P>& parameters, int64_t batch)
      : shape_(shape),
        plan_(choose_conv_plan<P>(shape, batch)),
        room_(sums_room(batch * shape.out_pixels(), shape.filters)),
        kernel_(parameters.find(id, Role::kernel)),
        bias_(parameters.find(id, Role::bias)) {}

  int64_t work_bytes() const override {
    return std::max(plan_->work_bytes(), room_ * static_cast<int64_t>(sizeof(double)));
  }

  void forward(P& policy, const Pass& pass, const Buffers& b) override {
    plan_->forward(policy, pass.n, b.x[0], kernel_.value, b.y, b.work);
    if (bias_.value == nullptr) return;
    policy.launch(rows(pass) * shape_.filters, AddBias{bias_.value, shape_.filters, b.y});
  }

  void backward(P& policy, const Pass& pass, const Buffers& b) override {
    if (kernel_.gradient != nullptr) {
      plan_->kernel_gradient(policy, pass.n, b.x[0], b.dy, kernel_.gradient, b.work);
    }
    if (bias_.gradient != nullptr) {
      bias_gradient(policy, rows(pass), shape_.filters, b.dy, bias_.gradient, b.work);
    }
    if (b.dx[0] != nullptr) {
      plan_->data_gradient(policy, pass.n, kernel_.value, b.dy, b.dx[0], b.add[0], b.work);
    }
  }

  std::string describe() const override { return plan_->name(); }

 private:
  int64_t rows(const Pass& pass) const { return pass.n * shape_.out_pixels(); }

  ConvShape shape_;
  std::unique_ptr<ConvPlan<P>> plan_;
  int64_t room_;  // doubles of bias_gradient
  Parameters<P>::Place kernel_, bias_;
};

}  // namespace lepton::cuda
