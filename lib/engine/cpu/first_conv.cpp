#include "engine/cpu/first_conv.h"

#include <algorithm>

#include "engine/cpu/threads.h"

namespace lepton::cpu {
namespace {

const FirstConvLoops& loops() { return simd().lanes == 16 ? kFirstConvAvx512 : kFirstConvAvx2; }

// Rows [first, first + band + 2) of one sample, as the convolution sees them, zeros around.
void copy_band(const FirstConvShape& shape, const float* x, int64_t first, float* to) {
  const int64_t left = std::min(shape.pad_left, shape.pitch), count = std::min(shape.in.w, shape.pitch - left);
  for (int64_t c = 0; c < shape.in.c; ++c) {
    for (int64_t r = 0; r < kFirstBand + 2; ++r, to += shape.pitch) {
      const int64_t y = first + r - shape.pad_top;
      if (y < 0 || y >= shape.in.h) {
        std::fill_n(to, shape.pitch, 0.0F);
        continue;
      }
      std::fill_n(to, left, 0.0F);
      std::copy_n(x + (c * shape.in.h + y) * shape.in.w, count, to + left);
      std::fill_n(to + left + count, shape.pitch - left - count, 0.0F);
    }
  }
}

}  // namespace

bool first_conv_pays(const ConvSpec& spec) {
  const Attributes& a = spec.attributes;
  const bool plain = a.kernel_h == 3 && a.kernel_w == 3 && a.stride_h == 1 && a.stride_w == 1 && a.dilation == 1;
  return plain && spec.planar && !spec.depthwise && simd().lanes >= 8;
}

FirstConvShape first_conv_shape(const ConvSpec& spec, bool pool) {
  const int64_t columns = (spec.out.w + kFirstColumns - 1) / kFirstColumns * kFirstColumns;
  return {spec.in, spec.out, spec.attributes.pad_top, spec.attributes.pad_left, pool, columns + 2};
}

std::vector<float> pack_first_conv(std::span<const float> kernel, int64_t inputs, int64_t outputs) {
  const int64_t pair = 2 * simd().lanes, columns = padded_channels(outputs);
  std::vector<float> packed(static_cast<size_t>(9 * inputs * columns));
  for (int64_t tap = 0; tap < 9; ++tap) {
    for (int64_t c = 0; c < inputs; ++c) {
      for (int64_t k = 0; k < outputs; ++k) {
        const int64_t group = k / pair, width = std::min(pair, columns - group * pair);
        packed[static_cast<size_t>(group * pair * 9 * inputs + (c * 9 + tap) * width + k % pair)] =
            kernel[static_cast<size_t>((tap * inputs + c) * outputs + k)];
      }
    }
  }
  return packed;
}

int64_t first_conv_scratch(const FirstConvShape& shape, int threads) { return threads * shape.in.c * shape.plane(); }

void first_conv(const FirstConvShape& shape, int64_t n, const float* x, const float* packed, const float* bias, Act act,
                float* y, float* scratch, int threads) {
  const Map out = shape.out();
  const int64_t lanes = simd().lanes, blocks = out.blocks(), bands = shape.bands();
#pragma omp parallel num_threads(threads)
  {
    float* own = scratch + thread_number() * first_conv_scratch(shape, 1);
#pragma omp for schedule(static)
    for (int64_t job = 0; job < n * bands; ++job) {
      const int64_t sample = job / bands, first = job % bands * kFirstBand,
                    rows = std::min(kFirstBand, shape.conv.h - first);
      copy_band(shape, x + sample * shape.in.c * shape.in.pixels(), first, own);
      float* to = y + sample * out.sample() + (shape.pool ? first / 2 : first) * out.w * lanes;
      for (int64_t block = 0; block < blocks; block += 2) {
        const int together = block + 2 <= blocks ? 2 : 1;
        loops().band(own, shape, rows, packed + block * lanes * 9 * shape.in.c, bias + block * lanes, together,
                     act == Act::relu, to + block * out.plane(), out.plane());
      }
    }
  }
  if (act == Act::none || act == Act::relu) return;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t plane = 0; plane < n * blocks; ++plane) {
    float* values = y + plane * out.plane();
    simd().activate(values, values, out.pixels(), act);
  }
}

}  // namespace lepton::cpu
