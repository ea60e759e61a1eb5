// Batch normalisation (Ioffe and Szegedy 2015) with activation and residual sum in the same passes over memory.
#include <algorithm>
#include <cmath>

#include "engine/cpu/ops.h"
#include "engine/cpu/reduce.h"

namespace lepton::cpu {
namespace {

// One pass y = act(x * scale + shift) + skip over the first n samples, zeros behind them.
template <class T>
void affine_pass(const Map& map, int64_t n, int64_t batch, const T* x, const T* skip, T* y, const float* scale,
                 const float* shift, Act act) {
  const int64_t blocks = map.blocks(), lanes = simd().lanes, plane = map.plane();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < batch * blocks; ++i) {
    if (i >= n * blocks) {
      std::fill_n(y + i * plane, plane, T{});
      continue;
    }
    const int64_t b = i % blocks;
    rows_of<T>().affine(x + i * plane, skip == nullptr ? nullptr : skip + i * plane, y + i * plane, map.pixels(),
                        scale + b * lanes, shift + b * lanes, act);
  }
}

template <class T>
class TrainingNorm : public TrainingOp {
 public:
  TrainingNorm(const Step& step, const Node& norm, int64_t batch, const Value& in, const Value* skip, const Value& out,
               Parameters& parameters)
      : map_(in.map),
        positions_(norm),
        batch_(batch),
        act_(step.act),
        epsilon_(norm.attributes.epsilon),
        keep_(norm.attributes.keep),
        in_(in.buffer),
        skip_(skip == nullptr ? -1 : skip->buffer),
        out_(out.buffer),
        parameters_(parameters) {
    node = step.node;
    for (const Role role : {Role::gamma, Role::beta, Role::mean, Role::variance}) {
      parameters.set_packing(node, role, pack_vector(map_.c));
    }
    channels_ = map_.blocks() * simd().lanes;
    room_ = AlignedFloats(channels_ * 8);
    float** const arrays[] = {&mean_, &inverse_, &scale_, &shift_, &a_, &b_, &c_, &variance_};
    for (size_t i = 0; i < std::size(arrays); ++i) *arrays[i] = room_.data() + static_cast<int64_t>(i) * channels_;
    first_.resize(static_cast<size_t>(kGroups * channels_));
    second_.resize(first_.size());
    forward_buffers = {in_, out_};
    if (skip_ >= 0) forward_buffers.push_back(skip_);
  }

  // With a skip the gradient of the output is also the skip's, so that it must be one buffer.
  bool takes_two() const override { return skip_ < 0; }

  void set_gradients(int dy, int dy2, int dx) override {
    dy_ = dy;
    dy2_ = dy2;
    dx_ = dx;
    backward_buffers = {dy, in_};
    if (dy2 >= 0) backward_buffers.push_back(dy2);
    if (dx >= 0) backward_buffers.push_back(dx);
  }

  void bind(const Arena& arena) override {
    const auto at = [&](int buffer) { return arena.as<T>(buffer); };
    x_ = at(in_);
    y_ = at(out_);
    add_ = at(skip_);
    dyp_ = at(dy_);
    dy2p_ = at(dy2_);
    dxp_ = at(dx_);
    const auto find = [&](Role role) { return parameters_.find(node, role); };
    gamma_ = parameters_.value(*find(Role::gamma));
    beta_ = parameters_.value(*find(Role::beta));
    running_mean_ = parameters_.value(*find(Role::mean));
    running_variance_ = parameters_.value(*find(Role::variance));
    dgamma_ = parameters_.gradient(*find(Role::gamma));
    dbeta_ = parameters_.gradient(*find(Role::beta));
  }

  void commit() override {
    for (int64_t c = 0; c < map_.c; ++c) {
      running_mean_[c] = keep_ * running_mean_[c] + (1 - keep_) * mean_[c];
      running_variance_[c] = keep_ * running_variance_[c] + (1 - keep_) * variance_[c];
    }
  }

  void forward(const Run& run) override {
    statistics(run);
    affine_pass(map_, run.n, batch_, x_, add_, y_, scale_, shift_, act_);
  }

  void backward(const Run& run) override {
    gradients(run);
    if (dx_ < 0) return;
    const int64_t blocks = map_.blocks(), lanes = simd().lanes, plane = map_.plane();
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < batch_ * blocks; ++i) {
      if (i >= run.n * blocks) {
        std::fill_n(dxp_ + i * plane, plane, T{});
        continue;
      }
      const int64_t k = i % blocks * lanes, pixels = counted(run, i / blocks);
      std::fill(dxp_ + i * plane + pixels * lanes, dxp_ + (i + 1) * plane, T{});
      rows_of<T>().affine_backward(x_ + i * plane, dyp_ + i * plane, dy2p_ == nullptr ? nullptr : dy2p_ + i * plane,
                                   dxp_ + i * plane, pixels, scale_ + k, shift_ + k, a_ + k, b_ + k, c_ + k, act_);
    }
  }

 private:
  // Pixels of a sample that the statistics count: all but a text's padding.
  int64_t counted(const Run& run, int64_t s) const { return positions_.some() ? positions_.of(run, s) : map_.pixels(); }

  double count_of(const Run& run) const {
    int64_t count = 0;
    for (int64_t s = 0; s < run.n; ++s) count += counted(run, s);
    return static_cast<double>(std::max<int64_t>(count, 1));
  }

  template <class Row>
  void over_rows(const Run& run, Row row) {
    std::fill(first_.begin(), first_.end(), 0.0);
    std::fill(second_.begin(), second_.end(), 0.0);
    const int64_t blocks = map_.blocks(), lanes = simd().lanes;
#pragma omp parallel for schedule(static)
    for (int64_t g = 0; g < kGroups; ++g) {
      const GroupRange range = group_range(run.n, g);
      for (int64_t s = range.begin; s < range.end; ++s) {
        for (int64_t b = 0; b < blocks; ++b) {
          const int64_t sums = g * channels_ + b * lanes;
          row(s * map_.sample() + b * map_.plane(), counted(run, s), b * lanes, first_.data() + sums,
              second_.data() + sums);
        }
      }
    }
  }

  double total(const std::vector<double>& partial, int64_t c) const {
    double sum = 0;
    for (int64_t g = 0; g < kGroups; ++g) sum += partial[static_cast<size_t>(g * channels_ + c)];
    return sum;
  }

  void statistics(const Run& run) {
    const double count = count_of(run);
    // Sums are taken around each channel's first value: squares of a large mean would swallow a small variance.
    for (int64_t c = 0; c < channels_; ++c) a_[c] = static_cast<float>(x_[map_.place(0, c)]);
    over_rows(run, [&](int64_t row, int64_t pixels, int64_t k, double* sum, double* square) {
      rows_of<T>().stats(x_ + row, pixels, a_ + k, sum, square);
    });
    for (int64_t c = 0; c < channels_; ++c) {
      const double shifted = total(first_, c) / count;
      const double variance = std::max(0.0, total(second_, c) / count - shifted * shifted);
      const double mean = shifted + static_cast<double>(a_[c]);
      const double inverse = 1 / std::sqrt(variance + static_cast<double>(epsilon_));
      mean_[c] = static_cast<float>(mean);
      inverse_[c] = static_cast<float>(inverse);
      scale_[c] = static_cast<float>(inverse * static_cast<double>(gamma_[c]));
      shift_[c] = static_cast<float>(static_cast<double>(beta_[c]) - mean * inverse * static_cast<double>(gamma_[c]));
      variance_[c] = static_cast<float>(count > 1 ? variance * count / (count - 1) : variance);  // unbiased
    }
  }

  void gradients(const Run& run) {
    over_rows(run, [&](int64_t row, int64_t pixels, int64_t k, double* sum, double* product) {
      rows_of<T>().affine_reduce(x_ + row, dyp_ + row, dy2p_ == nullptr ? nullptr : dy2p_ + row, pixels, scale_ + k,
                                 shift_ + k, mean_ + k, act_, sum, product);
    });
    const double count = count_of(run);
    for (int64_t c = 0; c < channels_; ++c) {
      const double sum = total(first_, c), product = total(second_, c);
      const double inverse = static_cast<double>(inverse_[c]), mean = static_cast<double>(mean_[c]);
      dbeta_[c] = static_cast<float>(sum);
      dgamma_[c] = static_cast<float>(product * inverse);
      const double a = static_cast<double>(scale_[c]), b = -a * inverse * inverse * product / count;
      a_[c] = scale_[c];
      b_[c] = static_cast<float>(b);
      c_[c] = static_cast<float>(-a * sum / count - b * mean);
    }
  }

  Map map_;
  Positions positions_;
  int64_t batch_, channels_ = 0;
  Act act_;
  float epsilon_, keep_;
  int in_, skip_, out_, dy_ = -1, dy2_ = -1, dx_ = -1;
  Parameters& parameters_;
  AlignedFloats room_;
  float *mean_, *inverse_, *scale_, *shift_, *a_, *b_, *c_, *variance_;
  std::vector<double> first_, second_;
  T *x_ = nullptr, *y_ = nullptr, *add_ = nullptr, *dyp_ = nullptr, *dy2p_ = nullptr, *dxp_ = nullptr;
  float *gamma_ = nullptr, *beta_ = nullptr, *running_mean_ = nullptr, *running_variance_ = nullptr;
  float *dgamma_ = nullptr, *dbeta_ = nullptr;
};

class InferenceNorm : public Op {
 public:
  InferenceNorm(const Step& step, const Node& norm, int64_t batch, const Value& in, const Value* skip, const Value& out,
                const ParameterSet& parameters)
      : map_(in.map),
        batch_(batch),
        act_(step.act),
        in_(in.buffer),
        skip_(skip == nullptr ? -1 : skip->buffer),
        out_(out.buffer),
        scale_(padded_channels(in.map.c)),
        shift_(padded_channels(in.map.c)) {
    node = step.node;
    forward_buffers = {in_, out_};
    if (skip_ >= 0) forward_buffers.push_back(skip_);
    const auto values = [&](const char* role) { return parameters.at(norm.name + "/" + role).values; };
    const std::vector<float> gamma = values("gamma"), beta = values("beta"), mean = values("mean"),
                             variance = values("variance");
    for (size_t c = 0; c < gamma.size(); ++c) {
      const double factor =
          gamma[c] / std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(norm.attributes.epsilon));
      scale_.data()[c] = static_cast<float>(factor);
      shift_.data()[c] = static_cast<float>(static_cast<double>(beta[c]) - static_cast<double>(mean[c]) * factor);
    }
  }

  void bind(const Arena& arena) override {
    x_ = arena.at(in_);
    y_ = arena.at(out_);
    add_ = skip_ < 0 ? nullptr : arena.at(skip_);
  }

  void forward(const Run&) override {
    affine_pass<float>(map_, batch_, batch_, x_, add_, y_, scale_.data(), shift_.data(), act_);
  }

 private:
  Map map_;
  int64_t batch_;
  Act act_;
  int in_, skip_, out_;
  AlignedFloats scale_, shift_;
  float *x_ = nullptr, *y_ = nullptr, *add_ = nullptr;
};

}  // namespace

std::unique_ptr<TrainingOp> make_norm(const Step& step, const Node& norm, int64_t batch, const Value& in,
                                      const Value* skip, const Value& out, Parameters& parameters) {
  return with_element(in.element, [&]<class T>(T) -> std::unique_ptr<TrainingOp> {
    return std::make_unique<TrainingNorm<T>>(step, norm, batch, in, skip, out, parameters);
  });
}

std::unique_ptr<Op> make_inference_norm(const Step& step, const Node& norm, int64_t batch, const Value& in,
                                        const Value* skip, const Value& out, const ParameterSet& parameters) {
  return std::make_unique<InferenceNorm>(step, norm, batch, in, skip, out, parameters);
}

}  // namespace lepton::cpu
