// The passes of training that Winograd's convolution has besides winograd() itself.
#include <algorithm>
#include <array>

#include "engine/cpu/threads.h"
#include "engine/cpu/winograd_group.h"

namespace lepton::cpu {
namespace {

// Bytes of the transformed tiles of a group: large, since each group reads and writes the sums dU once.
constexpr int64_t kGroupBytes = 2'400'000;
// Sums of more than this are shared out by outputs, not one for each thread.
constexpr int64_t kLargeSums = 2'500'000;

// Tiles in groups, dU in parts: one for each thread that takes tiles of its own.
template <class P>
struct GradientPlan {
  GradientPlan(const WinogradShape& shape, int64_t samples, int thread_count)
      : inputs(padded_channels(shape.in.c)), outputs(padded_channels(shape.conv.c)), threads(thread_count) {
    const int64_t blocks = shape.conv.blocks(), all = samples * shape.tiles();
    const bool large = kMatrices * inputs * outputs * static_cast<int64_t>(sizeof(float)) > kLargeSums;
    by_outputs = threads > 1 && large && blocks >= threads;
    tile_parts = by_outputs ? 1 : threads;
    share = by_outputs ? (blocks + threads - 1) / threads * simd().lanes : outputs;
    const int64_t tile = kMatrices * (inputs + share) * static_cast<int64_t>(sizeof(P));
    tiles = std::clamp<int64_t>(kGroupBytes * (large ? 4 : 1) / tile, 16, 512);
    tiles = (std::min(tiles, (all + tile_parts - 1) / tile_parts) + 1) / 2 * 2;
  }
  int64_t stride(int64_t channels) const { return apart<P>(tiles * channels); }
  int64_t sums() const { return kMatrices * inputs * outputs; }
  int64_t work() const {  // floats of one thread
    return kMatrices * (stride(inputs) + stride(share)) * static_cast<int64_t>(sizeof(P)) / 4;
  }

  int64_t inputs, outputs;
  int threads;
  bool by_outputs = false;
  int64_t tile_parts = 1, share = 0, tiles = 0;  // share: outputs of one thread
};

// Of one plane, the tile at `place` and those before it.
template <class T>
void fetch_next(const T* plane, const Map& map, const TilePlace& place, int64_t pad, int64_t tiles) {
  const int64_t top = std::max<int64_t>(4 * place.row - pad, 0),
                left = std::max<int64_t>(4 * (place.column + 1 - tiles), 0);
  fetch_rows<0>(plane + (top * map.w + left) * simd().lanes, std::min<int64_t>(5, map.h - top), 4 * tiles,
                map.w * simd().lanes);
}

// Tiles [begin, end) and the blocks of outputs [first, last): du = V^T M, row by row of all outputs.
template <class T, class P>
void gradient_part(const WinogradShape& shape, const GradientPlan<P>& plan, int64_t begin, int64_t end, int64_t first,
                   int64_t last, const T* x, const T* dy, float* du, float* work) {
  constexpr int64_t kSteps = steps_of<P>();
  const int64_t lanes = simd().lanes, wide = (last - first) * lanes;
  // M is kept for groups of up to 4 blocks, V for each block, so that products read what lies together.
  const auto group_width = [&](int64_t b) {
    return std::min(kVectors, last - first - (b - first) / kVectors * kVectors) * lanes;
  };
  P* v = reinterpret_cast<P*>(work);
  P* m = v + kMatrices * plan.stride(plan.inputs);
  if (begin >= end) std::fill_n(du, plan.sums(), 0.0F);
  for (int64_t tile = begin; tile < end; tile += plan.tiles) {
    const int64_t count = (std::min(plan.tiles, end - tile) + kSteps - 1) / kSteps * kSteps;
    for (int64_t t = 0; t < count; t += kSteps) {
      std::array<TilePlace, kSteps> places;
      for (int64_t s = 0; s < kSteps; ++s) {
        places[static_cast<size_t>(s)] = tile + t + s < end ? place_of(shape, tile + t + s) : TilePlace{-1, 0, 0};
      }
      const TilePlace next = place_of(shape, std::min(tile + t + 2 * kSteps - 1, end - 1));
      for (int64_t b = 0; b < shape.in.blocks(); ++b) {
        fetch_next(x + next.sample * shape.in.sample() + b * shape.in.plane(), shape.in, next, shape.pad_top, kSteps);
        loops<T, P>().input_steps(x + b * shape.in.plane(), shape, places.data(), v + (b * plan.tiles + t) * lanes,
                                  plan.stride(plan.inputs));
      }
      for (int64_t b = first; b < last; ++b) {
        fetch_next(dy + next.sample * shape.conv.sample() + b * shape.conv.plane(), shape.conv, next, 0, kSteps);
        loops<T, P>().gradient_steps(dy + b * shape.conv.plane(), shape, places.data(),
                                     m + (b - first) / kVectors * kVectors * lanes * plan.tiles + t * group_width(b) +
                                         (b - first) % kVectors * lanes * kSteps,
                                     plan.stride(wide));
      }
    }
    for (int64_t i = 0; i < kMatrices; ++i) {
      for (int64_t k = 0; k < last - first; k += kVectors) {
        for (int64_t b = 0; b < shape.in.blocks(); ++b) {
          loops<T, P>().gradient_product(v + i * plan.stride(plan.inputs) + b * plan.tiles * lanes,
                                         m + i * plan.stride(wide) + k * lanes * plan.tiles,
                                         du + (i * plan.inputs + b * lanes) * wide + k * lanes, count,
                                         static_cast<int>(std::min(kVectors, last - first - k)), wide, tile > begin);
        }
      }
    }
  }
}

}  // namespace

Packing winograd_packing(int64_t inputs, int64_t outputs) {
  using tag = dnnl::memory::format_tag;
  const tag blocks = simd().lanes == 16 ? tag::OIhw16i16o : tag::OIhw8i8o;
  return pack_conv({{outputs, inputs, 3, 3}, dnnl::memory::data_type::f32, blocks});
}

template <class P>
void winograd_kernel(const float* kernel, int64_t inputs, int64_t outputs, bool turned, P* packed) {
  constexpr int64_t kSteps = steps_of<P>();
  const int64_t lanes = simd().lanes, wide = kVectors * lanes, c_all = padded_channels(inputs),
                k_all = padded_channels(outputs), stride = c_all * k_all;
  // Where the block of `lanes` results at `at` of `all` begins, with `sums` of them summed up; and their group's width.
  const auto place = [&](int64_t at, int64_t all, int64_t sums) {
    return std::pair(at / wide * wide * sums + at % wide * kSteps, std::min(wide, all - at / wide * wide));
  };
#pragma omp parallel for schedule(static) collapse(2)
  for (int64_t k = 0; k < k_all; k += lanes) {
    for (int64_t c = 0; c < c_all; c += lanes) {
      if (turned) {
        const auto [begin, width] = place(c, c_all, k_all);
        loops<float, P>().turned_kernel(kernel, c_all, c / lanes, k / lanes, packed + begin + k * width, width * kSteps,
                                        stride);
        continue;
      }
      const auto [begin, width] = place(k, k_all, c_all);
      for (int64_t i = c; i < c + lanes; i += kSteps) {
        loops<float, P>().kernel(kernel, c_all, i, k / lanes, packed + begin + i * width, stride);
      }
    }
  }
}

template <class P>
int64_t winograd_gradient_scratch(const WinogradShape& shape, int64_t batch, int threads) {
  const GradientPlan<P> plan(shape, batch, threads);
  return plan.tile_parts * plan.sums() + threads * plan.work();
}

template <class T, class P>
void winograd_gradient(const WinogradShape& shape, int64_t n, const T* x, const T* dy, float* dkernel, float* scratch,
                       int threads) {
  const GradientPlan<P> plan(shape, n, threads);
  const int64_t tiles = n * shape.tiles(), blocks = shape.conv.blocks(), lanes = simd().lanes;
  const int64_t row = plan.inputs / lanes * 9 * lanes * lanes;  // of one block of outputs
  float* sums = scratch;
  float* work = scratch + plan.tile_parts * plan.sums();
  const auto share = [&](int64_t all, int64_t part) { return part * all / threads; };
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t part = 0; part < threads; ++part) {
    float* own = work + part * plan.work();
    if (plan.by_outputs) {
      const int64_t first = share(blocks, part), last = share(blocks, part + 1);
      float* du = sums + first * lanes * plan.inputs * kMatrices;
      gradient_part(shape, plan, 0, tiles, first, last, x, dy, du, own);
    } else {
      gradient_part(shape, plan, share(tiles, part), share(tiles, part + 1), 0, blocks, x, dy,
                    sums + part * plan.sums(), own);
    }
  }
  const int64_t shares = plan.by_outputs ? threads : 1;
#pragma omp parallel for schedule(static) collapse(2)
  for (int64_t k = 0; k < blocks; ++k) {
    for (int64_t c = 0; c < plan.inputs; ++c) {
      int64_t part = 0;
      while (k >= (part + 1) * blocks / shares) ++part;
      const int64_t first = part * blocks / shares, wide = ((part + 1) * blocks / shares - first) * lanes;
      const float* du = sums + first * lanes * plan.inputs * kMatrices + c * wide + (k - first) * lanes;
      loops<float, P>().kernel_gradient(du, plan.inputs * wide, plan.tile_parts, plan.sums(),
                                        dkernel + k * row + (c / lanes * 9 * lanes + c % lanes) * lanes);
    }
  }
}

template void winograd_kernel(const float*, int64_t, int64_t, bool, float*);
template void winograd_kernel(const float*, int64_t, int64_t, bool, Bf16*);
template int64_t winograd_gradient_scratch<float>(const WinogradShape&, int64_t, int);
template int64_t winograd_gradient_scratch<Bf16>(const WinogradShape&, int64_t, int);
template void winograd_gradient<float, float>(const WinogradShape&, int64_t, const float*, const float*, float*, float*,
                                              int);
template void winograd_gradient<Bf16, Bf16>(const WinogradShape&, int64_t, const Bf16*, const Bf16*, float*, float*,
                                            int);

}  // namespace lepton::cpu
