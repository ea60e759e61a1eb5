// Body of the loops in winograd.h; included once by each winograd_*.cpp, behind its target, lane count and number of
// vectors that a product keeps for each row. No other includes, as in simd_body.h.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace lepton::cpu {
namespace {

constexpr int kLanes = LEPTON_WINOGRAD_LANES, kVectors = 4, kRows = LEPTON_WINOGRAD_ROWS;
typedef float Vec __attribute__((vector_size(4 * kLanes), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes), may_alias));

#define LEPTON_INLINE static inline __attribute__((always_inline))

LEPTON_INLINE Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
LEPTON_INLINE void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }

// B^T of six values at a distance of `step` vectors.
LEPTON_INLINE void transform_six(Vec* d, int step) {
  const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const Vec even = d4 - 4 * d2, odd = d3 - 4 * d1, far = d4 - d2, near = 2 * (d3 - d1);
  d[0] = 4 * d0 - 5 * d2 + d4;
  d[step] = even + odd;
  d[2 * step] = even - odd;
  d[3 * step] = far + near;
  d[4 * step] = far - near;
  d[5 * step] = 4 * d1 - 5 * d3 + d5;
}

void input(const float* x, const WinogradShape& shape, int64_t row, int64_t column, float* v, int64_t stride) {
  Vec d[36];
  const int64_t top = 4 * row - shape.pad_top, left = 4 * column - shape.pad_left;
  const bool inside = top >= 0 && left >= 0 && top + 6 <= shape.in.h && left + 6 <= shape.in.w;
  for (int64_t i = 0; i < 6; ++i) {
    const float* from = x + ((top + i) * shape.in.w + left) * kLanes;
    if (inside) {
      for (int64_t j = 0; j < 6; ++j) d[i * 6 + j] = load(from + j * kLanes);
      continue;
    }
    const bool row_there = top + i >= 0 && top + i < shape.in.h;
    for (int64_t j = 0; j < 6; ++j) {
      const bool there = row_there && left + j >= 0 && left + j < shape.in.w;
      d[i * 6 + j] = there ? load(from + j * kLanes) : Vec{};
    }
  }
  for (int j = 0; j < 6; ++j) transform_six(d + j, 6);
  for (int i = 0; i < 6; ++i) transform_six(d + i * 6, 1);
  for (int64_t i = 0; i < 36; ++i) store(v + i * stride, d[i]);
}

// Rows x vectors of m, summed over all inputs in registers: one order, whatever the rows beside.
template <int rows, int vectors>
LEPTON_INLINE void block(const float* v, const float* u, float* m, int64_t inputs, int64_t outputs) {
  Vec sum[rows][vectors] = {};
  for (int64_t c = 0; c < inputs; ++c) {
    Vec w[vectors];
    for (int k = 0; k < vectors; ++k) w[k] = load(u + (c * vectors + k) * kLanes);
    for (int r = 0; r < rows; ++r) {
      const Vec a = v[r * inputs + c] - Vec{};  // not Vec{} +, which is an addition to the compiler
      for (int k = 0; k < vectors; ++k) sum[r][k] += a * w[k];
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int k = 0; k < vectors; ++k) store(m + r * outputs + k * kLanes, sum[r][k]);
  }
}

template <int vectors>
LEPTON_INLINE void blocks(const float* v, const float* u, float* m, int64_t tiles, int64_t inputs, int64_t outputs) {
  int64_t t = 0;
  for (; t + kRows <= tiles; t += kRows) block<kRows, vectors>(v + t * inputs, u, m + t * outputs, inputs, outputs);
  for (; t + 2 <= tiles; t += 2) block<2, vectors>(v + t * inputs, u, m + t * outputs, inputs, outputs);
  if (t < tiles) block<1, vectors>(v + t * inputs, u, m + t * outputs, inputs, outputs);
}

void product(const float* v, const float* u, float* m, int64_t tiles, int64_t inputs, int64_t outputs, int64_t first,
             int64_t last) {
  constexpr int64_t kGroup = kVectors * kLanes;
  for (int64_t group = first; group < last; ++group) {
    const float* from = u + group * kGroup * inputs;
    float* to = m + group * kGroup;
    switch ((outputs - group * kGroup) / kLanes) {
      case 1:
        blocks<1>(v, from, to, tiles, inputs, outputs);
        break;
      case 2:
        blocks<2>(v, from, to, tiles, inputs, outputs);
        break;
      case 3:
        blocks<3>(v, from, to, tiles, inputs, outputs);
        break;
      default:
        blocks<4>(v, from, to, tiles, inputs, outputs);
    }
  }
}

// A^T of six values at a distance of `step` vectors; four remain.
LEPTON_INLINE void transform_four(Vec* m, int step) {
  const Vec sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
  const Vec sum2 = m[3 * step] + m[4 * step], difference2 = m[3 * step] - m[4 * step];
  m[0] += sum + sum2;
  m[step] = difference + 2 * difference2;
  m[2 * step] = sum + 4 * sum2;
  m[3 * step] = difference + 8 * difference2 + m[5 * step];
}

LEPTON_INLINE Vec larger(Vec a, Vec b) { return a > b ? a : b; }

// The largest of each 2x2 of the first 4x4.
LEPTON_INLINE void pool_four(Vec* d) {
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      const Vec* from = d + 12 * i + 2 * j;
      d[6 * i + j] = larger(larger(from[0], from[1]), larger(from[6], from[7]));
    }
  }
}

void output(const float* m, int64_t stride, const float* bias, Act act, float* y, const WinogradShape& shape,
            int64_t row, int64_t column) {
  Vec d[36];
  for (int64_t i = 0; i < 36; ++i) d[i] = load(m + i * stride);
  for (int j = 0; j < 6; ++j) transform_four(d + j, 6);
  for (int i = 0; i < 4; ++i) transform_four(d + i * 6, 1);
  const int64_t size = shape.pool ? 2 : 4, across = shape.pool ? shape.conv.w / 2 : shape.conv.w;
  const int64_t down = shape.pool ? shape.conv.h / 2 : shape.conv.h;
  if (shape.pool) pool_four(d);
  const Vec shift = load(bias);
  const int64_t width = across - size * column < size ? across - size * column : size;
  for (int64_t i = 0; i < size && size * row + i < down; ++i) {
    float* to = y + ((size * row + i) * across + size * column) * kLanes;
    for (int64_t j = 0; j < width; ++j) {
      Vec value = d[i * 6 + j] + shift;
      if (act == Act::relu) value = reinterpret_cast<Vec>(reinterpret_cast<Ints>(value) & (value > 0.0F));
      store(to + j * kLanes, value);
    }
  }
}

}  // namespace

const WinogradLoops LEPTON_WINOGRAD_TABLE = {input, product, output};

}  // namespace lepton::cpu
