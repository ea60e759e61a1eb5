// Bodies of the loops in simd.h; as simd_rows.h.
#include "engine/cpu/simd_rows.h"

namespace lepton::cpu {
namespace {

// Rows x tiles of vectors at once; the sum over inputs runs in `chains` sums, in the same order for any kRows.
template <int kRows, int kTiles, int kChains>
LEPTON_INLINE void dense_block(const float* x, const float* w, const float* bias, float* y, int64_t inputs,
                               int64_t outputs) {
  Vec sum[kRows][kTiles][kChains] = {};
  int64_t k = 0;
  for (; k + kChains <= inputs; k += kChains) {
    for (int c = 0; c < kChains; ++c) {
      for (int t = 0; t < kTiles; ++t) {
        const Vec weight = load(w + (k + c) * outputs + t * kLanes);
        for (int r = 0; r < kRows; ++r) sum[r][t][c] += weight * x[r * inputs + k + c];
      }
    }
  }
  for (; k < inputs; ++k) {
    for (int t = 0; t < kTiles; ++t) {
      const Vec weight = load(w + k * outputs + t * kLanes);
      for (int r = 0; r < kRows; ++r) sum[r][t][0] += weight * x[r * inputs + k];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int t = 0; t < kTiles; ++t) {
      Vec total = sum[r][t][0];
      for (int c = 1; c < kChains; ++c) total += sum[r][t][c];
      store(y + r * outputs + t * kLanes, load(bias + t * kLanes) + total);
    }
  }
}

void dense(const float* x, const float* w, const float* bias, float* y, int64_t rows, int64_t inputs, int64_t outputs,
           int64_t first, int64_t last) {
  constexpr int kRows = kLanes == 16 ? 8 : 4;  // sums stay in registers
  for (int64_t o = first; o < last;) {
    const bool pair = o + 2 * kLanes <= last;
    for (int64_t r = 0; r < rows;) {
      const bool many = r + kRows <= rows;
      const float* from = x + r * inputs;
      float* to = y + r * outputs + o;
      if (many && pair) dense_block<kRows, 2, 1>(from, w + o, bias + o, to, inputs, outputs);
      if (many && !pair) dense_block<kRows, 1, 2>(from, w + o, bias + o, to, inputs, outputs);
      if (!many && pair) dense_block<1, 2, 1>(from, w + o, bias + o, to, inputs, outputs);
      if (!many && !pair) dense_block<1, 1, 2>(from, w + o, bias + o, to, inputs, outputs);
      r += many ? kRows : 1;
    }
    o += pair ? 2 * kLanes : kLanes;
  }
}

void sgd(float* w, const float* g, float* m, int64_t count, float rate, float decay, float momentum, bool nesterov,
         float factor) {
  for (int64_t i = 0; i < count * kLanes; i += kLanes) {
    const Vec weight = load(w + i);
    const Vec d = load(g + i) * factor + decay * weight;
    const Vec velocity = momentum * load(m + i) + d;
    store(m + i, velocity);
    store(w + i, weight - rate * (nesterov ? d + momentum * velocity : velocity));
  }
}

LEPTON_INLINE Vec square_root(Vec x) {
  Vec root;
  for (int lane = 0; lane < kLanes; ++lane) root[lane] = __builtin_sqrtf(x[lane]);
  return root;
}

void adamw(float* w, const float* g, float* m, float* v, int64_t count, float rate, float decay, float beta1,
           float beta2, float epsilon, float c1, float c2, float factor) {
  const float step = rate / c1, root = 1.0F / __builtin_sqrtf(c2), kept = 1.0F - rate * decay;
  for (int64_t i = 0; i < count * kLanes; i += kLanes) {
    const Vec d = load(g + i) * factor;
    const Vec first = beta1 * load(m + i) + (1.0F - beta1) * d;
    const Vec second = beta2 * load(v + i) + (1.0F - beta2) * d * d;
    store(m + i, first);
    store(v + i, second);
    store(w + i, load(w + i) * kept - step * first / (square_root(second) * root + epsilon));
  }
}

void average_row(float* average, const float* w, int64_t count, float decay) {
  for (int64_t i = 0; i < count * kLanes; i += kLanes)
    store(average + i, decay * load(average + i) + (1.0F - decay) * load(w + i));
}

double square_sum(const float* x, int64_t count) {
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += kPart) {
    const int64_t end = begin + kPart < count ? begin + kPart : count;
    Half s{};
    for (int64_t i = begin * kLanes; i < end * kLanes; i += kLanes / 2) {
      const Half d = __builtin_convertvector(*reinterpret_cast<const HalfFloats*>(x + i), Half);
      s += d * d;
    }
    for (int lane = 0; lane < kLanes / 2; ++lane) total += s[lane];
  }
  return total;
}

}  // namespace

extern const Simd LEPTON_SIMD_TABLE = {kRowLoops<float>, kLanes,    LEPTON_SIMD_NAME, dense, sgd, adamw,
                                       average_row,      square_sum};

}  // namespace lepton::cpu
