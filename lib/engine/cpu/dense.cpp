#include <algorithm>

#include "base/error.h"
#include "engine/cpu/gemm.h"
#include "engine/cpu/ops.h"
#include "engine/cpu/reduce.h"

namespace lepton::cpu {

void gemm(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
          const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  if (dnnl::sgemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) != dnnl::status::success) {
    fail(Exit::bug, "cpu: oneDNN refused a product of {}x{}x{}", m, n, k);
  }
}

namespace {

// y = x w + bias over all samples the plan is compiled for.
void product(int64_t batch, int64_t inputs, int64_t outputs, const float* x, const float* w, const float* bias,
             float* y) {
  if (bias != nullptr) {
    for (int64_t s = 0; s < batch; ++s) std::copy_n(bias, outputs, y + s * outputs);
  }
  gemm('N', 'N', batch, outputs, inputs, 1, x, inputs, w, outputs, bias == nullptr ? 0.0F : 1.0F, y, outputs);
}

class TrainingDense : public TrainingOp {
 public:
  TrainingDense(const Step& step, const Node&, int64_t batch, const Value& in, const Value& out, Parameters& parameters)
      : batch_(batch),
        inputs_(in.map.sample()),
        outputs_(out.map.sample()),
        out_map_(out.map),
        in_(in.buffer),
        out_(out.buffer),
        parameters_(parameters) {
    node = step.node;
    parameters.set_packing(node, Role::kernel, pack_dense(in.map, out.map.c));
    parameters.set_packing(node, Role::bias, pack_vector(out.map.c));
    forward_buffers = {in_, out_};
  }

  void set_gradients(int dy, int, int dx) override {
    dy_ = dy;
    dx_ = dx;
    backward_buffers = {dy, in_};
    if (dx >= 0) backward_buffers.push_back(dx);
  }

  void bind(const Arena& arena) override {
    arena_ = &arena;
    kernel_ = parameters_.find(node, Role::kernel);
    bias_ = parameters_.find(node, Role::bias);
  }

  void forward(const Run&) override {
    product(batch_, inputs_, outputs_, arena_->at(in_), parameters_.value(*kernel_),
            bias_ == nullptr ? nullptr : parameters_.value(*bias_), arena_->at(out_));
  }

  void backward(const Run&) override {
    const float *dy = arena_->at(dy_), *x = arena_->at(in_);
    if (kernel_->parameter.trainable) {
      gemm('T', 'N', inputs_, outputs_, batch_, 1, x, inputs_, dy, outputs_, 0, parameters_.gradient(*kernel_),
           outputs_);
    }
    if (bias_ != nullptr) channel_sums(dy, out_map_, batch_, sums_, parameters_.gradient(*bias_));
    if (dx_ >= 0) {
      gemm('N', 'T', batch_, inputs_, outputs_, 1, dy, outputs_, parameters_.value(*kernel_), outputs_, 0,
           arena_->at(dx_), inputs_);
    }
  }

 private:
  int64_t batch_, inputs_, outputs_;
  Map out_map_;
  int in_, out_, dy_ = -1, dx_ = -1;
  Parameters& parameters_;
  const Arena* arena_ = nullptr;
  const Slot *kernel_ = nullptr, *bias_ = nullptr;
  std::vector<double> sums_;
};

class InferenceDense : public Op {
 public:
  InferenceDense(const Step& step, const Node& layer, int64_t batch, const Value& in, const Value& out,
                 const ParameterSet& plain)
      : batch_(batch), inputs_(in.map.sample()), outputs_(out.map.sample()), in_(in.buffer), out_(out.buffer) {
    node = step.node;
    forward_buffers = {in_, out_};
    const NamedTensor& kernel = plain.at(layer.name + "/kernel");
    const Packing packing = pack_dense(in.map, out.map.c);
    kernel_ = AlignedFloats(packing.size);
    pack(packing, kernel.shape, kernel.values.data(), kernel_.data());
    bias_ = AlignedFloats(outputs_);
    if (const NamedTensor* bias = plain.find(layer.name + "/bias")) {
      std::copy(bias->values.begin(), bias->values.end(), bias_.data());
    }
  }

  void bind(const Arena& arena) override { arena_ = &arena; }

  // Not by oneDNN, whose products of one row and of many round differently: an answer may not depend on its neighbours.
  // A thread has some outputs of all rows, so that each weight is read once; where outputs are few, of some rows.
  void forward(const Run&) override {
    const int64_t share = 2 * simd().lanes, shares = (outputs_ + share - 1) / share;
    const int64_t rows = shares > 1 ? batch_ : kRows, parts = (batch_ + rows - 1) / rows;
    const float* x = arena_->at(in_);
    float* y = arena_->at(out_);
#pragma omp parallel for schedule(static) if (shares * parts > 1)
    for (int64_t job = 0; job < shares * parts; ++job) {
      const int64_t s = job % shares, first = job / shares * rows;
      simd().dense(x + first * inputs_, kernel_.data(), bias_.data(), y + first * outputs_,
                   std::min(rows, batch_ - first), inputs_, outputs_, s * share, std::min(outputs_, (s + 1) * share));
    }
  }

 private:
  static constexpr int64_t kRows = 32;
  int64_t batch_, inputs_, outputs_;
  int in_, out_;
  AlignedFloats kernel_, bias_;
  const Arena* arena_ = nullptr;
};

}  // namespace

std::unique_ptr<TrainingOp> make_dense(const Step& step, const Node& node, int64_t batch, const Value& in,
                                       const Value& out, Parameters& parameters) {
  return std::make_unique<TrainingDense>(step, node, batch, in, out, parameters);
}

std::unique_ptr<Op> make_inference_dense(const Step& step, const Node& node, int64_t batch, const Value& in,
                                         const Value& out, const ParameterSet& plain) {
  return std::make_unique<InferenceDense>(step, node, batch, in, out, plain);
}

}  // namespace lepton::cpu
