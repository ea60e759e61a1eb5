#include "engine/cpu/winograd.h"

#include <algorithm>
#include <type_traits>

#include "engine/cpu/threads.h"
#include "engine/cpu/winograd_group.h"

namespace lepton::cpu {
namespace {

// Transformed tiles of a group, and what comes of them for one group of outputs: most of a second-level cache.
constexpr int64_t kGroupBytes = 700'000;
// Kernels of more than this are read from far for every group, so that groups are large and threads share out outputs.
constexpr int64_t kLargeKernel = 4'000'000;
// With less of it a thread reads all of the kernel for a few tiles.
constexpr int64_t kSmallMatrix = 8192;

template <class P>
struct Plan {
  Plan(const WinogradShape& shape, int64_t samples, int threads)
      : inputs(padded_channels(shape.in.c)), outputs(padded_channels(shape.conv.c)) {
    constexpr int64_t kStep = 6, kLeast = 12, kMost = 96, kWide = 32;  // a product works on 6 tiles at once
    const bool large = kMatrices * inputs * outputs * static_cast<int64_t>(sizeof(P)) > kLargeKernel;
    together = large ? (output_groups() + threads - 1) / threads : 1;
    const int64_t all = samples * shape.tiles();
    const int64_t bytes = kMatrices * (inputs * static_cast<int64_t>(sizeof(P)) + widest() * 4);
    tiles = large ? kWide : std::clamp(kGroupBytes / bytes / kStep * kStep, kLeast, kMost);
    const bool few = all < tiles * threads;
    by_outputs = threads > 1 && output_groups() >= threads && (large || (few && inputs * outputs > kSmallMatrix));
    tiles = std::max<int64_t>(1, std::min(tiles, by_outputs ? all : (all + threads - 1) / threads));
  }
  int64_t widest() const { return std::min(outputs, together * kVectors * simd().lanes); }
  int64_t v_stride() const { return apart<P>(tiles * inputs); }
  int64_t m_stride(int64_t width) const { return apart<float>(tiles * width); }
  int64_t scratch() const {  // floats
    return kMatrices * (v_stride() * static_cast<int64_t>(sizeof(P)) / 4 + m_stride(widest()));
  }
  int64_t output_groups() const { return groups_of(outputs); }

  int64_t inputs, outputs;  // padded channels
  int64_t tiles = 0;        // of a group, at most
  int64_t together = 1;     // groups of outputs whose M is held at once: V is read once for them
  bool by_outputs = false;  // threads share out outputs, each transforming all inputs; else tiles
};

template <class T, class P>
class Work {
 public:
  Work(const WinogradShape& shape, const Plan<P>& plan, const T* x, const P* packed, const float* bias, Act act, T* y)
      : shape_(shape), out_(shape.out()), plan_(plan), x_(x), packed_(packed), bias_(bias), act_(act), y_(y) {}

  // Groups of outputs [begin, end) of tiles numbered through all samples.
  void run(int64_t first, int64_t count, int64_t begin, int64_t end, float* scratch) const {
    P* v = reinterpret_cast<P*>(scratch);
    float* m = reinterpret_cast<float*>(v + kMatrices * plan_.v_stride());
    input(first, count, v);
    const int64_t lanes = simd().lanes, wide = kVectors * lanes;
    for (int64_t group = begin; group < end; group += plan_.together) {
      const int64_t to = std::min(end, group + plan_.together);
      const int64_t blocks = std::min(to * kVectors, out_.blocks()) - group * kVectors;
      const int64_t stride = plan_.m_stride(blocks * lanes);
      for (int64_t i = 0; i < kMatrices; ++i) {
        for (int64_t g = group; g < to; ++g) {
          loops<T, P>().product(v + i * plan_.v_stride(), packed_ + (i * plan_.outputs + g * wide) * plan_.inputs,
                                m + i * stride + (g - group) * wide * plan_.tiles, count, plan_.inputs,
                                static_cast<int>(std::min(kVectors, out_.blocks() - g * kVectors)));
        }
      }
      for (int64_t g = group; g < to; ++g) {
        output(g * kVectors, std::min(kVectors, out_.blocks() - g * kVectors), first, count,
               m + (g - group) * wide * plan_.tiles, stride);
      }
    }
  }

 private:
  // All blocks of a tile together, since they share cache lines of V; the next tile is fetched meanwhile.
  void input(int64_t first, int64_t count, P* v) const {
    const int64_t blocks = shape_.in.blocks(), pitch = shape_.in.w * simd().lanes;
    for (int64_t t = 0; t < count; ++t) {
      const TilePlace place = place_of(shape_, first + t), next = place_of(shape_, first + std::min(t + 1, count - 1));
      const T* from = x_ + place.sample * shape_.in.sample();
      const T* soon = x_ + next.sample * shape_.in.sample() + corner(next, shape_.in, 4, shape_.pad_top);
      for (int64_t b = 0; b < blocks; ++b, from += shape_.in.plane(), soon += shape_.in.plane()) {
        fetch_rows<0>(soon, std::min<int64_t>(5, shape_.in.h - 4 * next.row), 4, pitch);
        loops<T, P>().input(from, shape_, place.row, place.column, v + t * plan_.inputs + b * simd().lanes,
                            plan_.v_stride());
      }
    }
  }
  void output(int64_t block, int64_t blocks, int64_t first, int64_t count, const float* m, int64_t stride) const {
    const int64_t lanes = simd().lanes, pitch = out_.w * lanes, size = shape_.pool ? 2 : 4;
    for (int64_t t = 0; t < count; ++t) {
      const TilePlace place = place_of(shape_, first + t), next = place_of(shape_, first + std::min(t + 1, count - 1));
      T* to = y_ + place.sample * out_.sample() + block * out_.plane();
      const T* soon = y_ + next.sample * out_.sample() + block * out_.plane() + corner(next, out_, size, 0);
      for (int64_t b = 0; b < blocks; ++b, to += out_.plane(), soon += out_.plane()) {
        fetch_rows<1>(soon, std::min(size, out_.h - size * next.row), size, pitch);
        loops<T, P>().output(m + (t * blocks + b) * lanes, stride, bias_ + (block + b) * lanes, act_, to, shape_,
                             place.row, place.column);
      }
    }
  }
  // Where a tile begins in a plane, first row and column that are there.
  static int64_t corner(const TilePlace& place, const Map& map, int64_t size, int64_t pad) {
    return (std::max<int64_t>(size * place.row - pad, 0) * map.w + size * place.column) * simd().lanes;
  }

  const WinogradShape& shape_;
  const Map out_;
  const Plan<P>& plan_;
  const T* x_;
  const P* packed_;
  const float* bias_;
  Act act_;
  T* y_;
};

}  // namespace

template <>
const WinogradLoops<float, float>& loops() {
  return simd().lanes == 16 ? kWinogradAvx512 : kWinogradAvx2;
}
template <>
const WinogradLoops<float, Bf16>& loops() {
  return kWinogradBf16;
}
template <>
const WinogradLoops<Bf16, Bf16>& loops() {
  return kWinogradAllBf16;
}

bool fused_winograd_pays(const ConvSpec& spec) {
  const Attributes& a = spec.attributes;
  const bool plain = a.kernel_h == 3 && a.kernel_w == 3 && a.stride_h == 1 && a.stride_w == 1 && a.dilation == 1;
  return plain && !spec.depthwise && simd().lanes >= 8 && !spec.planar && spec.in.c >= 16 && spec.out.c >= 16;
}

bool winograd_answers(const ConvSpec& spec) {
  constexpr int64_t kFar = 100'000;
  const bool one_tile = spec.out.h <= 4 && spec.out.w <= 4;
  return fused_winograd_pays(spec) && (spec.bf16_products || !one_tile || spec.in.c * spec.out.c < kFar);
}

bool own_winograd_trains(const ConvSpec& spec) {
  constexpr int64_t kMost = 16384;
  if (spec.element == Element::bf16) return fused_winograd_pays(spec);
  return fused_winograd_pays(spec) && padded_channels(spec.in.c) * padded_channels(spec.out.c) <= kMost;
}

int64_t winograd_kernel_size(int64_t inputs, int64_t outputs) {
  return kMatrices * padded_channels(inputs) * padded_channels(outputs);
}

template <class P>
std::vector<P> pack_winograd(std::span<const float> kernel, int64_t inputs, int64_t outputs) {
  constexpr double p = 0.625, q = 1.5, p2 = p * p, q2 = q * q;
  constexpr double at_0 = 1 / (p2 * q2), at_p = 1 / (2 * p2 * (p2 - q2)), at_q = 1 / (2 * q2 * (q2 - p2));
  constexpr double kG[6][3] = {{at_0, 0, 0},
                               {at_p, at_p * p, at_p * p2},
                               {at_p, -at_p * p, at_p * p2},
                               {at_q, at_q * q, at_q * q2},
                               {at_q, -at_q * q, at_q * q2},
                               {0, 0, 1}};
  const int64_t rows = padded_channels(inputs), columns = padded_channels(outputs), wide = kVectors * simd().lanes;
  constexpr int64_t kSteps = steps_of<P>();
  std::vector<P> packed(static_cast<size_t>(kMatrices * rows * columns));
  for (int64_t c = 0; c < inputs; ++c) {
    for (int64_t k = 0; k < outputs; ++k) {
      const int64_t group = k / wide, width = std::min(wide, columns - group * wide);
      const int64_t place = group * wide * rows + (c / kSteps * width + k % wide) * kSteps + c % kSteps;
      for (int64_t i = 0; i < kMatrices; ++i) {
        double sum = 0;
        for (int64_t y = 0; y < 3; ++y) {
          for (int64_t x = 0; x < 3; ++x) {
            sum += kG[i / 6][y] * kG[i % 6][x] *
                   static_cast<double>(kernel[static_cast<size_t>(((y * 3 + x) * inputs + c) * outputs + k)]);
          }
        }
        packed[static_cast<size_t>(i * rows * columns + place)] = P(static_cast<float>(sum));
      }
    }
  }
  return packed;
}

template <class P>
int64_t winograd_scratch(const WinogradShape& shape, int64_t batch, int threads) {
  const Plan<P> plan(shape, batch, threads);
  return plan.scratch() * threads;
}

template <class T, class P>
void winograd(const WinogradShape& shape, int64_t n, const T* x, const P* packed, const float* bias, Act act, T* y,
              float* scratch, int threads) {
  const Plan<P> plan(shape, n, threads);
  const Work<T, P> work(shape, plan, x, packed, bias, act, y);
  const int64_t tiles = n * shape.tiles(), groups = (tiles + plan.tiles - 1) / plan.tiles, all = plan.output_groups();
  const auto run = [&](int64_t group, int64_t begin, int64_t end) {
    const int64_t first = group * plan.tiles;
    work.run(first, std::min(plan.tiles, tiles - first), begin, end, scratch + thread_number() * plan.scratch());
  };
  const int64_t jobs = plan.by_outputs ? threads : groups;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t job = 0; job < jobs; ++job) {
    if (!plan.by_outputs) run(job, 0, all);
    for (int64_t g = 0; plan.by_outputs && g < groups; ++g) run(g, job * all / jobs, (job + 1) * all / jobs);
  }
  if constexpr (std::is_same_v<T, float>) {
    if (act == Act::none || act == Act::relu) return;
#pragma omp parallel for schedule(static)
    for (int64_t plane = 0; plane < n * shape.conv.blocks(); ++plane) {
      float* values = y + plane * shape.conv.plane();
      simd().activate(values, values, shape.conv.pixels(), act);
    }
  }
}

template std::vector<float> pack_winograd(std::span<const float>, int64_t, int64_t);
template std::vector<Bf16> pack_winograd(std::span<const float>, int64_t, int64_t);
template int64_t winograd_scratch<float>(const WinogradShape&, int64_t, int);
template int64_t winograd_scratch<Bf16>(const WinogradShape&, int64_t, int);
template void winograd(const WinogradShape&, int64_t, const float*, const float*, const float*, Act, float*, float*,
                       int);
template void winograd(const WinogradShape&, int64_t, const float*, const Bf16*, const float*, Act, float*, float*,
                       int);
template void winograd(const WinogradShape&, int64_t, const Bf16*, const Bf16*, const float*, Act, Bf16*, float*, int);

}  // namespace lepton::cpu
