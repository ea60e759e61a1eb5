#pragma once
// Forward and backward of each layer kind over n samples in N H W C order: double precision, plain loops, no thought of
// speed. `x` is the layer's input, `y` its output, `dx` is set, gradients of parameters are added to.
#include <vector>

#include "net/graph.h"

namespace lepton::reference {

using Values = std::vector<double>;

// Cross-correlation with zeros around. x [n,H,W,C], kernel HWIO, bias [O] or nullptr, y [n,h,w,O].
void conv_forward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
                  const Values* bias, Values& y);
void conv_backward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
                   const Values& dy, Values& dx, Values& dkernel);

// y = x kernel + bias. x [n,I], kernel [I,O], bias [O] or nullptr, y [n,O].
void dense_forward(int64_t n, const Values& x, const Values& kernel, const Values* bias, Values& y);
void dense_backward(int64_t n, const Values& x, const Values& kernel, const Values& dy, Values& dx, Values& dkernel);

// dbias[c] += sum of dy over samples and pixels.
void bias_backward(const Values& dy, Values& dbias);

// maxpool, avgpool, globalmax, globalavg.
void pool_forward(const Node& node, const Shape& in, int64_t n, const Values& x, Values& y);
void pool_backward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& dy, Values& dx);

// y = all of xs along the last axis, of C1, C2, ... channels; rows is the product of the other axes.
void concat_forward(int64_t rows, const std::vector<const Values*>& xs, Values& y);
// dx [rows,channels] = the part of dy that begins at channel `first`.
void concat_backward(int64_t rows, int64_t first, int64_t channels, const Values& dy, Values& dx);

// Mean and biased variance of each channel over samples and pixels.
struct Moments {
  Values mean, variance;
};
Moments moments(const Values& x, int64_t channels);

// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta.
void norm_forward(double epsilon, const Moments& moments, const Values& gamma, const Values& beta, const Values& x,
                  Values& y);
// For moments of x itself.
void norm_backward(double epsilon, const Moments& moments, const Values& gamma, const Values& x, const Values& dy,
                   Values& dx, Values& dgamma, Values& dbeta);

// relu, gelu, silu.
void activation_forward(LayerKind kind, const Values& x, Values& y);
void activation_backward(LayerKind kind, const Values& x, const Values& dy, Values& dx);

}  // namespace lepton::reference
