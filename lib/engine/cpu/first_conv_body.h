// Body of the loops in first_conv.h; included once by each first_conv_*.cpp, behind its target and lane count. No other
// includes, as in simd_body.h.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace lepton::cpu {
namespace {

constexpr int kLanes = LEPTON_FIRST_LANES, kRows = static_cast<int>(kFirstRows),
              kColumns = static_cast<int>(kFirstColumns);
typedef float Vec __attribute__((vector_size(4 * kLanes), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes), may_alias));

#define LEPTON_INLINE static inline __attribute__((always_inline))

LEPTON_INLINE Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
LEPTON_INLINE void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
LEPTON_INLINE Vec larger(Vec a, Vec b) { return a > b ? a : b; }

// Sums of kRows x kColumns outputs in registers.
template <int blocks>
LEPTON_INLINE void sums(const float* x, const FirstConvShape& shape, const float* weights,
                        Vec (&sum)[kRows][kColumns][blocks]) {
  for (int64_t c = 0; c < shape.in.c; ++c, x += shape.plane(), weights += 9 * blocks * kLanes) {
#pragma GCC unroll 9
    for (int tap = 0; tap < 9; ++tap) {
      Vec w[blocks];
      for (int k = 0; k < blocks; ++k) w[k] = load(weights + (tap * blocks + k) * kLanes);
      for (int r = 0; r < kRows; ++r) {
        for (int j = 0; j < kColumns; ++j) {
          const Vec a = x[(r + tap / 3) * shape.pitch + j + tap % 3] - Vec{};  // not Vec{} +, which is an addition
          for (int k = 0; k < blocks; ++k) sum[r][j][k] += a * w[k];
        }
      }
    }
  }
}

template <int blocks, bool pool>
LEPTON_INLINE void band_of(const float* x, const FirstConvShape& shape, int64_t rows, const float* weights,
                           const float* bias, bool relu, float* y, int64_t plane) {
  const int64_t columns = pool ? shape.conv.w / 2 : shape.conv.w;
  const auto finished = [&](Vec v, int k) {
    v += load(bias + k * kLanes);
    return relu ? reinterpret_cast<Vec>(reinterpret_cast<Ints>(v) & (v > 0.0F)) : v;
  };
  for (int64_t row = 0; row < rows; row += kRows) {
    for (int64_t column = 0; column < shape.conv.w; column += kColumns) {
      Vec sum[kRows][kColumns][blocks] = {};
      sums<blocks>(x + row * shape.pitch + column, shape, weights, sum);
      for (int k = 0; k < blocks; ++k) {
        if (pool) {
          float* to = y + k * plane + (row / 2 * columns + column / 2) * kLanes;
          for (int j = 0; j < kColumns / 2 && row + 1 < rows && column / 2 + j < columns; ++j) {
            const Vec most =
                larger(larger(sum[0][2 * j][k], sum[0][2 * j + 1][k]), larger(sum[1][2 * j][k], sum[1][2 * j + 1][k]));
            store(to + j * kLanes, finished(most, k));
          }
          continue;
        }
        for (int r = 0; r < kRows && row + r < rows; ++r) {
          float* to = y + k * plane + ((row + r) * columns + column) * kLanes;
          for (int j = 0; j < kColumns && column + j < columns; ++j) store(to + j * kLanes, finished(sum[r][j][k], k));
        }
      }
    }
  }
}

void band(const float* x, const FirstConvShape& shape, int64_t rows, const float* weights, const float* bias,
          int blocks, bool relu, float* y, int64_t plane) {
  if (blocks == 2 && shape.pool) return band_of<2, true>(x, shape, rows, weights, bias, relu, y, plane);
  if (blocks == 2) return band_of<2, false>(x, shape, rows, weights, bias, relu, y, plane);
  if (shape.pool) return band_of<1, true>(x, shape, rows, weights, bias, relu, y, plane);
  band_of<1, false>(x, shape, rows, weights, bias, relu, y, plane);
}

}  // namespace

const FirstConvLoops LEPTON_FIRST_TABLE = {band};

}  // namespace lepton::cpu
