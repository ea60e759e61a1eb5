#include "engine/cpu/winograd.h"

#include <algorithm>

#include "engine/cpu/threads.h"

namespace lepton::cpu {
namespace {

constexpr int64_t kMatrices = 36, kVectors = 4;
// Transformed tiles of a group together: most of a second-level cache.
constexpr int64_t kGroupFloats = 300'000;

const WinogradLoops& loops() { return simd().lanes == 16 ? kWinogradAvx512 : kWinogradAvx2; }

struct Group {
  int64_t tiles, inputs, outputs;  // tiles at most; padded channels
  int64_t floats() const { return kMatrices * tiles * (inputs + outputs); }
};

Group group_of(const WinogradShape& shape, int64_t samples) {
  constexpr int64_t kStep = 6, kLeast = 12, kMost = 96;  // a product works on 6 tiles at once
  Group g{0, padded_channels(shape.in.c), padded_channels(shape.conv.c)};
  const int64_t fitting = kGroupFloats / (kMatrices * (g.inputs + g.outputs)) / kStep * kStep;
  g.tiles = std::min(std::clamp(fitting, kLeast, kMost), samples * shape.tiles());
  return g;
}

int64_t product_groups(const Group& g) { return (g.outputs / simd().lanes + kVectors - 1) / kVectors; }

// One group of tiles, numbered through all samples, from x to y.
class Work {
 public:
  Work(const WinogradShape& shape, const Group& group, const float* x, const float* packed, const float* bias, Act act,
       float* y)
      : shape_(shape), out_(shape.out()), group_(group), x_(x), packed_(packed), bias_(bias), act_(act), y_(y) {}

  void input(int64_t block, int64_t first, int64_t count, float* v) const {
    const int64_t lanes = simd().lanes;
    for (int64_t t = 0; t < count; ++t) {
      const int64_t tile = first + t, sample = tile / shape_.tiles(), place = tile % shape_.tiles();
      const float* from = x_ + sample * shape_.in.sample() + block * shape_.in.plane();
      loops().input(from, shape_, place / shape_.columns(), place % shape_.columns(),
                    v + t * group_.inputs + block * lanes, group_.tiles * group_.inputs);
    }
  }
  void product(int64_t matrix, int64_t first, int64_t last, int64_t count, const float* v, float* m) const {
    loops().product(v + matrix * group_.tiles * group_.inputs, packed_ + matrix * group_.inputs * group_.outputs,
                    m + matrix * group_.tiles * group_.outputs, count, group_.inputs, group_.outputs, first, last);
  }
  void output(int64_t block, int64_t first, int64_t count, const float* m) const {
    const int64_t lanes = simd().lanes;
    for (int64_t t = 0; t < count; ++t) {
      const int64_t tile = first + t, sample = tile / shape_.tiles(), place = tile % shape_.tiles();
      loops().output(m + t * group_.outputs + block * lanes, group_.tiles * group_.outputs, bias_ + block * lanes, act_,
                     y_ + sample * out_.sample() + block * out_.plane(), shape_, place / shape_.columns(),
                     place % shape_.columns());
    }
  }
  // All of it on one thread.
  void run(int64_t first, int64_t count, float* scratch) const {
    float *v = scratch, *m = scratch + kMatrices * group_.tiles * group_.inputs;
    for (int64_t block = 0; block < shape_.in.blocks(); ++block) input(block, first, count, v);
    for (int64_t i = 0; i < kMatrices; ++i) product(i, 0, product_groups(group_), count, v, m);
    for (int64_t block = 0; block < out_.blocks(); ++block) output(block, first, count, m);
  }
  // One group on all threads, for few tiles.
  void run_together(int64_t first, int64_t count, float* scratch) const {
    float *v = scratch, *m = scratch + kMatrices * group_.tiles * group_.inputs;
    const int64_t parts = product_groups(group_);
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < shape_.in.blocks(); ++block) input(block, first, count, v);
#pragma omp parallel for schedule(static)
    for (int64_t job = 0; job < kMatrices * parts; ++job) {
      product(job / parts, job % parts, job % parts + 1, count, v, m);
    }
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < out_.blocks(); ++block) output(block, first, count, m);
  }

 private:
  const WinogradShape& shape_;
  const Map out_;
  const Group& group_;
  const float *x_, *packed_, *bias_;
  Act act_;
  float* y_;
};

}  // namespace

bool fused_winograd_pays(const ConvSpec& spec) {
  const Attributes& a = spec.attributes;
  const bool plain = a.kernel_h == 3 && a.kernel_w == 3 && a.stride_h == 1 && a.stride_w == 1 && a.dilation == 1;
  return plain && !spec.depthwise && simd().lanes >= 8 && !spec.planar && spec.in.c >= 16 && spec.out.c >= 16;
}

std::vector<float> pack_winograd(std::span<const float> kernel, int64_t inputs, int64_t outputs) {
  constexpr double kG[6][3] = {{1.0 / 4, 0, 0},
                               {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                               {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                               {1.0 / 24, 1.0 / 12, 1.0 / 6},
                               {1.0 / 24, -1.0 / 12, 1.0 / 6},
                               {0, 0, 1}};
  const int64_t rows = padded_channels(inputs), columns = padded_channels(outputs), wide = kVectors * simd().lanes;
  std::vector<float> packed(static_cast<size_t>(kMatrices * rows * columns));
  for (int64_t c = 0; c < inputs; ++c) {
    for (int64_t k = 0; k < outputs; ++k) {
      const int64_t group = k / wide, width = std::min(wide, columns - group * wide);
      for (int64_t i = 0; i < kMatrices; ++i) {
        double sum = 0;
        for (int64_t y = 0; y < 3; ++y) {
          for (int64_t x = 0; x < 3; ++x) {
            sum += kG[i / 6][y] * kG[i % 6][x] *
                   static_cast<double>(kernel[static_cast<size_t>(((y * 3 + x) * inputs + c) * outputs + k)]);
          }
        }
        packed[static_cast<size_t>(i * rows * columns + group * wide * rows + c * width + k % wide)] =
            static_cast<float>(sum);
      }
    }
  }
  return packed;
}

int64_t winograd_scratch(const WinogradShape& shape, int64_t batch, int threads) {
  return group_of(shape, batch).floats() * threads;
}

void winograd(const WinogradShape& shape, int64_t n, const float* x, const float* packed, const float* bias, Act act,
              float* y, float* scratch, int threads) {
  Group group = group_of(shape, n);
  // Few tiles are shared out whole, which moves least between the threads' caches, unless each would read large
  // matrices for few products.
  constexpr int64_t kSmallMatrix = 8192;
  const int64_t shared = (n * shape.tiles() + threads - 1) / threads;
  if (shared < group.tiles && group.inputs * group.outputs <= kSmallMatrix) group.tiles = shared;
  const Work work(shape, group, x, packed, bias, act, y);
  const int64_t tiles = n * shape.tiles(), groups = (tiles + group.tiles - 1) / group.tiles;
  const auto count = [&](int64_t first) { return std::min(group.tiles, tiles - first); };
  if (groups < threads) {
    for (int64_t first = 0; first < tiles; first += group.tiles) work.run_together(first, count(first), scratch);
  } else {
#pragma omp parallel num_threads(threads)
    {
      float* own = scratch + thread_number() * group.floats();
#pragma omp for schedule(dynamic)
      for (int64_t g = 0; g < groups; ++g) work.run(g * group.tiles, count(g * group.tiles), own);
    }
  }
  if (act == Act::none || act == Act::relu) return;
#pragma omp parallel for schedule(static)
  for (int64_t plane = 0; plane < n * shape.conv.blocks(); ++plane) {
    float* values = y + plane * shape.conv.plane();
    simd().activate(values, values, shape.conv.pixels(), act);
  }
}

}  // namespace lepton::cpu
