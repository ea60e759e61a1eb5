#pragma once
// Forward and backward of each layer kind over n samples in N H W C order: double precision, plain loops, no thought of
// speed. `x` is the layer's input, `y` its output, `dx` is set, gradients of parameters are added to.
#include <span>
#include <vector>

#include "net/graph.h"

namespace lepton::reference {

using Values = std::vector<double>;

// Cross-correlation with zeros around. x [n,H,W,C], kernel HWIO, bias [O] or nullptr, y [n,h,w,O].
void conv_forward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
                  const Values* bias, Values& y);
void conv_backward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
                   const Values& dy, Values& dx, Values& dkernel);

// The same with kernel [kh,kw,1,C]: each channel by itself.
void dwconv_forward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
                    const Values* bias, Values& y);
void dwconv_backward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
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

// y[n,L,D] = the tokens' rows of table [tokens,D]; token 0 gives zeros.
void embed_forward(std::span<const int32_t> tokens, const Values& table, Values& y);
void embed_backward(std::span<const int32_t> tokens, const Values& dy, Values& dtable);

// Sequences of tokens, n samples [T,C] of which the first valid[s] positions count and the others are padding.
using Counts = std::vector<int64_t>;
// y is 0 where there is padding, else x; gradients likewise.
void mask_forward(const Counts& valid, int64_t channels, const Values& x, Values& y);
// Largest value or mean of each channel over the valid positions; 0 where there is none. y [n,C].
void text_pool_forward(LayerKind kind, const Counts& valid, int64_t channels, const Values& x, Values& y);
void text_pool_backward(LayerKind kind, const Counts& valid, int64_t channels, const Values& x, const Values& dy,
                        Values& dx);

// Mean and biased variance of each channel over `rows` of x [samples x pixels, channels].
struct Moments {
  Values mean, variance;
};
Moments moments(const Values& x, const Counts& rows, int64_t channels);

// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta.
void norm_forward(double epsilon, const Moments& moments, const Values& gamma, const Values& beta, const Values& x,
                  Values& y);
// For moments of x itself over `rows`, the only ones that have a gradient.
void norm_backward(double epsilon, const Moments& moments, const Values& gamma, const Counts& rows, const Values& x,
                   const Values& dy, Values& dx, Values& dgamma, Values& dbeta);

// relu, gelu, silu.
void activation_forward(LayerKind kind, const Values& x, Values& y);
void activation_backward(LayerKind kind, const Values& x, const Values& dy, Values& dx);

}  // namespace lepton::reference
