// Layers of token sequences.
#include <algorithm>

#include "engine/reference/layers.h"
#include "kernels/pool.h"

namespace lepton::reference {
namespace {

// One sample's valid positions as one window.
kernels::Pool window(int64_t positions) { return {positions, 1, 1, 1, positions, 1, positions, 1, 0, 0}; }

int64_t sample_size(const Counts& valid, const Values& x) {
  return static_cast<int64_t>(x.size()) / static_cast<int64_t>(valid.size());
}

}  // namespace

void embed_forward(std::span<const int32_t> tokens, const Values& table, Values& y) {
  const auto width = static_cast<int64_t>(y.size() / tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto to = y.begin() + static_cast<int64_t>(i) * width;
    if (tokens[i] == 0) {
      std::fill_n(to, width, 0.0);
    } else {
      std::copy_n(table.begin() + tokens[i] * width, width, to);
    }
  }
}

void embed_backward(std::span<const int32_t> tokens, const Values& dy, Values& dtable) {
  const size_t width = dy.size() / tokens.size();
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] == 0) continue;
    for (size_t d = 0; d < width; ++d) dtable[static_cast<size_t>(tokens[i]) * width + d] += dy[i * width + d];
  }
}

void mask_forward(const Counts& valid, int64_t channels, const Values& x, Values& y) {
  const int64_t sample = sample_size(valid, x);
  y.assign(x.size(), 0);
  for (size_t s = 0; s < valid.size(); ++s) {
    const int64_t begin = static_cast<int64_t>(s) * sample;
    std::copy_n(x.begin() + begin, valid[s] * channels, y.begin() + begin);
  }
}

void text_pool_forward(LayerKind kind, const Counts& valid, int64_t channels, const Values& x, Values& y) {
  const int64_t sample = sample_size(valid, x);
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t s = i / static_cast<size_t>(channels);
    const double* plane = x.data() + static_cast<int64_t>(s) * sample + static_cast<int64_t>(i) % channels;
    const kernels::Pool pool = window(valid[s]);
    y[i] = valid[s] == 0                  ? 0
           : kind == LayerKind::globalmax ? kernels::MaxPool<double>{pool}.value(plane, channels, 0, 0)
                                          : kernels::AvgPool<double>{pool}.value(plane, channels, 0, 0);
  }
}

void text_pool_backward(LayerKind kind, const Counts& valid, int64_t channels, const Values& x, const Values& dy,
                        Values& dx) {
  const int64_t sample = sample_size(valid, x);
  dx.assign(x.size(), 0);
  for (size_t i = 0; i < dy.size(); ++i) {
    const size_t s = i / static_cast<size_t>(channels);
    const int64_t offset = static_cast<int64_t>(s) * sample + static_cast<int64_t>(i) % channels;
    const kernels::Pool pool = window(valid[s]);
    for (int64_t t = 0; t < valid[s]; ++t) {
      dx[static_cast<size_t>(offset + t * channels)] =
          kind == LayerKind::globalmax
              ? kernels::MaxPool<double>{pool}.gradient(x.data() + offset, &dy[i], channels, t, 0)
              : kernels::AvgPool<double>{pool}.gradient(&dy[i], channels, t, 0);
    }
  }
}

}  // namespace lepton::reference
