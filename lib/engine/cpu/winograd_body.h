// Body of the loops in winograd_loops.h; included once by each winograd_*.cpp, behind its target, its lane count, its
// number of rows, and element.h's loads and stores. No other includes, as in simd_body.h.
namespace lepton::cpu {
namespace {

constexpr int kVectors = 4, kRows = LEPTON_WINOGRAD_ROWS;

// The points are 0, p, -p, q, -q and infinity, p = 5/8 and q = 3/2: products rounded to 16 bits then err least of what
// was tried (0.9 % of the outputs' deviation, with 1 and 2 it is 2.2 %), and all constants but kernel's are exact.
constexpr float kP = 0.625F, kQ = 1.5F, kP2 = kP * kP, kQ2 = kQ * kQ, kP3 = kP * kP2, kQ3 = kQ * kQ2;
// G's rows are scaled so that B^T has these whole polynomials.
constexpr float kScale0 = 1 / (kP2 * kQ2), kScaleP = 1 / (2 * kP2 * (kP2 - kQ2)), kScaleQ = 1 / (2 * kQ2 * (kQ2 - kP2));

// B^T of six values at a distance of `step` vectors.
LEPTON_INLINE void transform_input(Vec* d, int step) {
  const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const Vec even_p = d4 - kQ2 * d2, odd_p = kP * d3 - kP * kQ2 * d1;
  const Vec even_q = d4 - kP2 * d2, odd_q = kQ * d3 - kQ * kP2 * d1;
  d[0] = kP2 * kQ2 * d0 - (kP2 + kQ2) * d2 + d4;
  d[step] = even_p + odd_p;
  d[2 * step] = even_p - odd_p;
  d[3 * step] = even_q + odd_q;
  d[4 * step] = even_q - odd_q;
  d[5 * step] = kP2 * kQ2 * d1 - (kP2 + kQ2) * d3 + d5;
}

// A^T of six values; four remain.
LEPTON_INLINE void transform_output(Vec* m, int step) {
  const Vec sum_p = m[step] + m[2 * step], difference_p = m[step] - m[2 * step];
  const Vec sum_q = m[3 * step] + m[4 * step], difference_q = m[3 * step] - m[4 * step];
  m[0] += sum_p + sum_q;
  m[step] = kP * difference_p + kQ * difference_q;
  m[2 * step] = kP2 * sum_p + kQ2 * sum_q;
  m[3 * step] = kP3 * difference_p + kQ3 * difference_q + m[5 * step];
}

// A of four values; they become six.
LEPTON_INLINE void transform_gradient(Vec* d, int step) {
  const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
  const Vec even_p = d0 + kP2 * d2, odd_p = kP * d1 + kP3 * d3;
  const Vec even_q = d0 + kQ2 * d2, odd_q = kQ * d1 + kQ3 * d3;
  d[step] = even_p + odd_p;
  d[2 * step] = even_p - odd_p;
  d[3 * step] = even_q + odd_q;
  d[4 * step] = even_q - odd_q;
  d[5 * step] = d3;
}

// G of three values; they become six.
LEPTON_INLINE void transform_kernel(Vec* g, int step) {
  const Vec g0 = g[0], g1 = g[step], g2 = g[2 * step];
  const Vec even_p = kScaleP * g0 + kScaleP * kP2 * g2, odd_p = kScaleP * kP * g1;
  const Vec even_q = kScaleQ * g0 + kScaleQ * kQ2 * g2, odd_q = kScaleQ * kQ * g1;
  g[0] = kScale0 * g0;
  g[step] = even_p + odd_p;
  g[2 * step] = even_p - odd_p;
  g[3 * step] = even_q + odd_q;
  g[4 * step] = even_q - odd_q;
  g[5 * step] = g2;
}

// G^T of six values; three remain.
LEPTON_INLINE void transform_kernel_gradient(Vec* u, int step) {
  const Vec sum_p = kScaleP * (u[step] + u[2 * step]), difference_p = kScaleP * (u[step] - u[2 * step]);
  const Vec sum_q = kScaleQ * (u[3 * step] + u[4 * step]), difference_q = kScaleQ * (u[3 * step] - u[4 * step]);
  u[0] = kScale0 * u[0] + sum_p + sum_q;
  u[step] = kP * difference_p + kQ * difference_q;
  u[2 * step] = kP2 * sum_p + kQ2 * sum_q + u[5 * step];
}

// The size x size values of a tile at (top, left) of a map of h x w, zeros outside of it; rows of d are 6 vectors.
template <int size, class T>
LEPTON_INLINE void read_tile(const T* x, int64_t h, int64_t w, int64_t top, int64_t left, Vec* d) {
  const bool inside = top >= 0 && left >= 0 && top + size <= h && left + size <= w;
  for (int64_t i = 0; i < size; ++i) {
    const T* from = x + ((top + i) * w + left) * kLanes;
    if (inside) {
      for (int64_t j = 0; j < size; ++j) d[i * 6 + j] = load(from + j * kLanes);
      continue;
    }
    const bool row_there = top + i >= 0 && top + i < h;
    for (int64_t j = 0; j < size; ++j) {
      const bool there = row_there && left + j >= 0 && left + j < w;
      d[i * 6 + j] = there ? load(from + j * kLanes) : Vec{};
    }
  }
}

template <class T>
LEPTON_INLINE void input_tile(const T* x, const WinogradShape& shape, int64_t row, int64_t column, Vec* d) {
  read_tile<6>(x, shape.in.h, shape.in.w, 4 * row - shape.pad_top, 4 * column - shape.pad_left, d);
  for (int j = 0; j < 6; ++j) transform_input(d + j, 6);
  for (int i = 0; i < 6; ++i) transform_input(d + i * 6, 1);
}

template <class T, class P>
void input(const T* x, const WinogradShape& shape, int64_t row, int64_t column, P* v, int64_t stride) {
  Vec d[36];
  input_tile(x, shape, row, column, d);
  for (int64_t i = 0; i < 36; ++i) store(v + i * stride, d[i]);
}

// Rows x vectors of m, summed over all inputs in registers: one order, whatever the rows beside.
template <int rows, int vectors, class P>
LEPTON_INLINE void block(const P* v, const P* u, float* m, int64_t inputs, int64_t outputs) {
  Vec sum[rows][vectors] = {};
  for (int64_t c = 0; c < inputs; c += Factor<P>::kSteps) {
    typename Factor<P>::Values w[vectors];
    for (int k = 0; k < vectors; ++k) w[k] = Factor<P>::read(u + (c * vectors + k * Factor<P>::kSteps) * kLanes);
    for (int r = 0; r < rows; ++r) {
      const auto a = Factor<P>::spread(v + r * inputs + c);
      for (int k = 0; k < vectors; ++k) sum[r][k] = Factor<P>::add(sum[r][k], a, w[k]);
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int k = 0; k < vectors; ++k) store(m + r * outputs + k * kLanes, sum[r][k]);
  }
}

template <int vectors, class P>
LEPTON_INLINE void blocks(const P* v, const P* u, float* m, int64_t tiles, int64_t inputs, int64_t outputs) {
  int64_t t = 0;
  for (; t + kRows <= tiles; t += kRows) block<kRows, vectors>(v + t * inputs, u, m + t * outputs, inputs, outputs);
  for (; t + 2 <= tiles; t += 2) block<2, vectors>(v + t * inputs, u, m + t * outputs, inputs, outputs);
  if (t < tiles) block<1, vectors>(v + t * inputs, u, m + t * outputs, inputs, outputs);
}

template <class P>
void product(const P* v, const P* u, float* m, int64_t tiles, int64_t inputs, int vectors) {
  switch (vectors) {
    case 1:
      return blocks<1>(v, u, m, tiles, inputs, kLanes);
    case 2:
      return blocks<2>(v, u, m, tiles, inputs, 2 * kLanes);
    case 3:
      return blocks<3>(v, u, m, tiles, inputs, 3 * kLanes);
    default:
      return blocks<4>(v, u, m, tiles, inputs, 4 * kLanes);
  }
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

template <class T>
void output(const float* m, int64_t stride, const float* bias, Act act, T* y, const WinogradShape& shape, int64_t row,
            int64_t column) {
  Vec d[36];
  for (int64_t i = 0; i < 36; ++i) d[i] = load(m + i * stride);
  for (int j = 0; j < 6; ++j) transform_output(d + j, 6);
  for (int i = 0; i < 4; ++i) transform_output(d + i * 6, 1);
  const int64_t size = shape.pool ? 2 : 4, across = shape.pool ? shape.conv.w / 2 : shape.conv.w;
  const int64_t down = shape.pool ? shape.conv.h / 2 : shape.conv.h;
  if (shape.pool) pool_four(d);
  const Vec shift = load(bias);
  const int64_t width = across - size * column < size ? across - size * column : size;
  for (int64_t i = 0; i < size && size * row + i < down; ++i) {
    T* to = y + ((size * row + i) * across + size * column) * kLanes;
    for (int64_t j = 0; j < width; ++j) {
      Vec value = d[i * 6 + j] + shift;
      if (act == Act::relu) value = reinterpret_cast<Vec>(reinterpret_cast<Ints>(value) & (value > 0.0F));
      store(to + j * kLanes, value);
    }
  }
}

// The kernels of training, in oneDNN's blocks: [outputs / lanes][inputs / lanes][9][lanes of inputs][lanes of outputs].
LEPTON_INLINE const float* kernel_at(const float* kernel, int64_t inputs, int64_t c, int64_t output_block) {
  return kernel + ((output_block * (inputs / kLanes) + c / kLanes) * 9 * kLanes + c % kLanes) * kLanes;
}

// U of one input and one block of outputs, its taps in reverse order if turned.
LEPTON_INLINE void kernel_tile(const float* from, bool turned, Vec* d) {
  for (int tap = 0; tap < 9; ++tap) {
    d[tap / 3 * 6 + tap % 3] = load(from + (turned ? 8 - tap : tap) * kLanes * kLanes);
  }
  for (int j = 0; j < 3; ++j) transform_kernel(d + j, 6);
  for (int i = 0; i < 6; ++i) transform_kernel(d + i * 6, 1);
}

template <class P>
void kernel(const float* from, int64_t inputs, int64_t c, int64_t output_block, P* u, int64_t stride) {
  constexpr int kSteps = Factor<P>::kSteps;
  Vec d[36][kSteps];
  for (int s = 0; s < kSteps; ++s) {
    Vec one[36];
    kernel_tile(kernel_at(from, inputs, c + s, output_block), false, one);
    for (int i = 0; i < 36; ++i) d[i][s] = one[i];
  }
  for (int64_t i = 0; i < 36; ++i) Factor<P>::write(u + i * stride, d[i]);
}

template <class P>
void turned_kernel(const float* from, int64_t inputs, int64_t input_block, int64_t output_block, P* u, int64_t row,
                   int64_t stride) {
  constexpr int kSteps = Factor<P>::kSteps;
  typedef uint32_t Word __attribute__((may_alias));  // kSteps factors
  alignas(64) P all[36][kLanes][kLanes];             // [matrix][input][output]
  for (int64_t c = 0; c < kLanes; ++c) {
    Vec d[36];
    kernel_tile(kernel_at(from, inputs, input_block * kLanes + c, output_block), true, d);
    for (int i = 0; i < 36; ++i) store(all[i][c], d[i]);
  }
  for (int64_t i = 0; i < 36; ++i) {
    const Word* words = reinterpret_cast<const Word*>(all[i]);
    for (int64_t k = 0; k < kLanes / kSteps; ++k) {
      Word* to = reinterpret_cast<Word*>(u + i * stride + k * row);
      for (int64_t c = 0; c < kLanes; ++c) to[c] = words[c * (kLanes / kSteps) + k];
    }
  }
}

template <class T, class P>
void input_steps(const T* x, const WinogradShape& shape, const TilePlace* places, P* v, int64_t stride) {
  constexpr int kSteps = Factor<P>::kSteps;
  Vec d[36][kSteps];
  for (int s = 0; s < kSteps; ++s) {
    Vec one[36] = {};
    if (places[s].sample >= 0) {
      input_tile(x + places[s].sample * shape.in.sample(), shape, places[s].row, places[s].column, one);
    }
    for (int i = 0; i < 36; ++i) d[i][s] = one[i];
  }
  for (int64_t i = 0; i < 36; ++i) Factor<P>::write(v + i * stride, d[i]);
}

template <class T, class P>
void gradient_steps(const T* dy, const WinogradShape& shape, const TilePlace* places, P* m, int64_t stride) {
  constexpr int kSteps = Factor<P>::kSteps;
  Vec d[36][kSteps];
  for (int s = 0; s < kSteps; ++s) {
    Vec one[36] = {};
    if (places[s].sample >= 0) {
      const T* from = dy + places[s].sample * shape.conv.sample();
      read_tile<4>(from, shape.conv.h, shape.conv.w, 4 * places[s].row, 4 * places[s].column, one);
      for (int j = 0; j < 4; ++j) transform_gradient(one + j, 6);
      for (int i = 0; i < 6; ++i) transform_gradient(one + i * 6, 1);
    }
    for (int i = 0; i < 36; ++i) d[i][s] = one[i];
  }
  for (int64_t i = 0; i < 36; ++i) Factor<P>::write(m + i * stride, d[i]);
}

// Rows of inputs, beginning with `row` of their block.
template <int rows, int vectors, class P>
LEPTON_INLINE void gradient_block(const P* v, const P* m, float* du, int64_t row, int64_t tiles, int64_t outputs,
                                  bool add) {
  constexpr int kSteps = Factor<P>::kSteps;
  Vec sum[rows][vectors] = {};
  for (int r = 0; add && r < rows; ++r) {
    for (int k = 0; k < vectors; ++k) sum[r][k] = load(du + (row + r) * outputs + k * kLanes);
  }
  for (int64_t t = 0; t < tiles; t += kSteps) {
    typename Factor<P>::Values w[vectors];
    for (int k = 0; k < vectors; ++k) w[k] = Factor<P>::read(m + (t * vectors + k * kSteps) * kLanes);
    for (int r = 0; r < rows; ++r) {
      const auto a = Factor<P>::spread(v + t * kLanes + (row + r) * kSteps);
      for (int k = 0; k < vectors; ++k) sum[r][k] = Factor<P>::add(sum[r][k], a, w[k]);
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int k = 0; k < vectors; ++k) store(du + (row + r) * outputs + k * kLanes, sum[r][k]);
  }
}

template <int vectors, class P>
LEPTON_INLINE void gradient_blocks(const P* v, const P* m, float* du, int64_t tiles, int64_t outputs, bool add) {
  static_assert(kLanes % kRows != 0);
  int64_t row = 0;
  for (; row + kRows <= kLanes; row += kRows) gradient_block<kRows, vectors>(v, m, du, row, tiles, outputs, add);
  gradient_block<kLanes % kRows, vectors>(v, m, du, row, tiles, outputs, add);
}

template <class P>
void gradient_product(const P* v, const P* m, float* du, int64_t tiles, int vectors, int64_t outputs, bool add) {
  switch (vectors) {
    case 1:
      return gradient_blocks<1>(v, m, du, tiles, outputs, add);
    case 2:
      return gradient_blocks<2>(v, m, du, tiles, outputs, add);
    case 3:
      return gradient_blocks<3>(v, m, du, tiles, outputs, add);
    default:
      return gradient_blocks<4>(v, m, du, tiles, outputs, add);
  }
}

void kernel_gradient(const float* du, int64_t stride, int64_t parts, int64_t part, float* to) {
  Vec d[36];
  for (int64_t i = 0; i < 36; ++i) {
    d[i] = load(du + i * stride);
    for (int64_t p = 1; p < parts; ++p) d[i] += load(du + p * part + i * stride);
  }
  for (int j = 0; j < 6; ++j) transform_kernel_gradient(d + j, 6);
  for (int i = 0; i < 3; ++i) transform_kernel_gradient(d + i * 6, 1);
  for (int tap = 0; tap < 9; ++tap) store(to + tap * kLanes * kLanes, d[tap / 3 * 6 + tap % 3]);
}

template <class T, class P>
constexpr WinogradLoops<T, P> table() {
  return {input<T, P>,       product<P>,           output<T>,           kernel<P>,      turned_kernel<P>,
          input_steps<T, P>, gradient_steps<T, P>, gradient_product<P>, kernel_gradient};
}

}  // namespace
}  // namespace lepton::cpu
