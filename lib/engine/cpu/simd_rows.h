// Bodies of Rows in simd.h. Included once by each simd_*.cpp, behind its target and lane count; no other includes,
// since an inline function compiled here for a newer processor could replace the common one at link time.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace lepton::cpu {
namespace {

constexpr int kLanes = LEPTON_SIMD_LANES;
typedef float Vec __attribute__((vector_size(4 * kLanes), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes), may_alias));
typedef double Half __attribute__((vector_size(4 * kLanes), may_alias));  // half as many doubles
typedef float HalfFloats __attribute__((vector_size(2 * kLanes), may_alias));

#define LEPTON_INLINE static inline __attribute__((always_inline))

LEPTON_INLINE Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
LEPTON_INLINE void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
#ifdef LEPTON_SIMD_BF16
typedef uint16_t Bits __attribute__((vector_size(2 * kLanes), may_alias));
#ifndef __clang__  // GCC 12 has no vectors of bf16, and widens in halves
LEPTON_INLINE Vec load(const Bf16* p) {
  Ints wide;
  asm("vpmovzxwd %1, %0" : "=v"(wide) : "m"(*reinterpret_cast<const Bits*>(p)));
  return reinterpret_cast<Vec>(wide << 16);
}
LEPTON_INLINE void store(Bf16* p, Vec v) {
  Bits bits;
  asm("vcvtneps2bf16 %1, %0" : "=v"(bits) : "v"(v));
  *reinterpret_cast<Bits*>(p) = bits;
}
#else  // of the sanitizer builds, which aim at no processor
LEPTON_INLINE Vec load(const Bf16* p) {
  return reinterpret_cast<Vec>(__builtin_convertvector(*reinterpret_cast<const Bits*>(p), Ints) << 16);
}
LEPTON_INLINE void store(Bf16* p, Vec v) {
  for (int lane = 0; lane < kLanes; ++lane) p[lane] = Bf16(v[lane]);
}
#endif
#endif
LEPTON_INLINE Vec all(float x) { return Vec{} + x; }
LEPTON_INLINE Vec select(Ints mask, Vec a, Vec b) {
  return reinterpret_cast<Vec>((mask & reinterpret_cast<Ints>(a)) | (~mask & reinterpret_cast<Ints>(b)));
}
LEPTON_INLINE Vec absolute(Vec x) { return reinterpret_cast<Vec>(reinterpret_cast<Ints>(x) & 0x7FFFFFFF); }

// Sums of a row are taken in float over at most this many pixels, then added in double.
constexpr int64_t kPart = 256;

LEPTON_INLINE void add_to(double* sum, Vec part) {
  for (int lane = 0; lane < kLanes; ++lane) sum[lane] += static_cast<double>(part[lane]);
}

// e^x for x <= 88; below -87 it is 0. Cody and Waite's reduction, polynomial of degree 6; relative error 1e-7.
LEPTON_INLINE Vec exponential(Vec x) {
  const Vec clamped = select(x < -87.0F, all(-87.0F), x);
  const Vec rounded = (clamped * 1.44269504F + 12582912.0F) - 12582912.0F;  // 1.5 * 2^23 rounds to whole numbers
  const Vec r = (clamped - rounded * 0.693359375F) - rounded * -2.12194440e-4F;
  Vec p = all(1.3981999e-3F);
  p = p * r + 8.3334519e-3F;
  p = p * r + 4.1665796e-2F;
  p = p * r + 1.6666665e-1F;
  p = p * r + 0.5F;
  p = p * r * r + r + 1.0F;
  const Ints power = (__builtin_convertvector(rounded, Ints) + 127) << 23;
  return select(x < -87.0F, Vec{}, p * reinterpret_cast<Vec>(power));
}

// Normal distribution function by Abramowitz and Stegun 7.1.26 (|error of erf| < 1.5e-7); e = exp(-x^2 / 2).
LEPTON_INLINE Vec normal_cdf(Vec x, Vec e) {
  const Vec t = 1.0F / (absolute(x) * (0.3275911F * 0.70710678F) + 1.0F);
  Vec p = all(1.061405429F);
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  const Vec tail = 0.5F * p * t * e;
  return select(x < 0.0F, tail, 1.0F - tail);
}

template <Act act>
LEPTON_INLINE Vec value(Vec x) {
  if constexpr (act == Act::relu) return select(x > 0.0F, x, Vec{});
  if constexpr (act == Act::gelu) return x * normal_cdf(x, exponential(-0.5F * x * x));
  if constexpr (act == Act::silu) return x / (1.0F + exponential(select(-x < 88.0F, -x, all(88.0F))));
  return x;
}

template <Act act>
LEPTON_INLINE Vec slope(Vec x, Vec dy) {
  if constexpr (act == Act::relu) return select(x > 0.0F, dy, Vec{});
  if constexpr (act == Act::gelu) {
    const Vec e = exponential(-0.5F * x * x);
    return dy * (normal_cdf(x, e) + x * e * 0.39894228F);
  }
  if constexpr (act == Act::silu) {
    const Vec s = 1.0F / (1.0F + exponential(select(-x < 88.0F, -x, all(88.0F))));
    return dy * (s + x * s * (1.0F - s));
  }
  return dy;
}

template <class F>
LEPTON_INLINE void with_act(Act act, F f) {
  switch (act) {
    case Act::none:
      return f.template operator()<Act::none>();
    case Act::relu:
      return f.template operator()<Act::relu>();
    case Act::gelu:
      return f.template operator()<Act::gelu>();
    case Act::silu:
      return f.template operator()<Act::silu>();
  }
}

template <class T>
void stats(const T* x, int64_t count, const float* shift, double* sum, double* square) {
  const Vec k = load(shift);
  for (int64_t begin = 0; begin < count; begin += kPart) {
    const int64_t end = begin + kPart < count ? begin + kPart : count;
    Vec s0{}, s1{}, q0{}, q1{};
    int64_t i = begin;
    for (; i + 1 < end; i += 2) {
      const Vec a = load(x + i * kLanes) - k, b = load(x + (i + 1) * kLanes) - k;
      s0 += a;
      s1 += b;
      q0 += a * a;
      q1 += b * b;
    }
    if (i < end) {
      const Vec a = load(x + i * kLanes) - k;
      s0 += a;
      q0 += a * a;
    }
    add_to(sum, s0 + s1);
    add_to(square, q0 + q1);
  }
}

template <class T>
void sum_row(const T* x, int64_t count, double* sum) {
  for (int64_t begin = 0; begin < count; begin += kPart) {
    const int64_t end = begin + kPart < count ? begin + kPart : count;
    Vec s{};
    for (int64_t i = begin; i < end; ++i) s += load(x + i * kLanes);
    add_to(sum, s);
  }
}

template <class T>
void affine(const T* x, const T* skip, T* y, int64_t count, const float* scale, const float* shift, Act act) {
  const Vec a = load(scale), b = load(shift);
  with_act(act, [&]<Act kAct>() {
    if (skip == nullptr) {
      for (int64_t i = 0; i < count * kLanes; i += kLanes) store(y + i, value<kAct>(load(x + i) * a + b));
    } else {
      for (int64_t i = 0; i < count * kLanes; i += kLanes)
        store(y + i, value<kAct>(load(x + i) * a + b) + load(skip + i));
    }
  });
}

template <class T>
void affine_reduce(const T* x, const T* dy, const T* dy2, int64_t count, const float* scale, const float* shift,
                   const float* mean, Act act, double* sum, double* product) {
  const Vec a = load(scale), b = load(shift), m = load(mean);
  with_act(act, [&]<Act kAct>() {
    for (int64_t begin = 0; begin < count; begin += kPart) {
      const int64_t end = begin + kPart < count ? begin + kPart : count;
      Vec s{}, p{};
      for (int64_t i = begin * kLanes; i < end * kLanes; i += kLanes) {
        const Vec v = load(x + i);
        const Vec d = dy2 == nullptr ? load(dy + i) : load(dy + i) + load(dy2 + i);
        const Vec dz = slope<kAct>(v * a + b, d);
        s += dz;
        p += dz * (v - m);
      }
      add_to(sum, s);
      add_to(product, p);
    }
  });
}

template <class T>
void affine_backward(const T* x, const T* dy, const T* dy2, T* dx, int64_t count, const float* scale,
                     const float* shift, const float* pa, const float* pb, const float* pc, Act act) {
  const Vec s = load(scale), t = load(shift), a = load(pa), b = load(pb), c = load(pc);
  with_act(act, [&]<Act kAct>() {
    for (int64_t i = 0; i < count * kLanes; i += kLanes) {
      const Vec v = load(x + i);
      const Vec d = dy2 == nullptr ? load(dy + i) : load(dy + i) + load(dy2 + i);
      store(dx + i, a * slope<kAct>(v * s + t, d) + (b * v + c));
    }
  });
}

template <class T>
void activate(const T* x, T* y, int64_t count, Act act) {
  with_act(act, [&]<Act kAct>() {
    for (int64_t i = 0; i < count * kLanes; i += kLanes) store(y + i, value<kAct>(load(x + i)));
  });
}

template <class T>
void activate_backward(const T* x, const T* dy, T* dx, int64_t count, Act act) {
  with_act(act, [&]<Act kAct>() {
    for (int64_t i = 0; i < count * kLanes; i += kLanes) store(dx + i, slope<kAct>(load(x + i), load(dy + i)));
  });
}

template <class T>
void add_rows(const T* a, const T* b, T* y, int64_t count) {
  for (int64_t i = 0; i < count * kLanes; i += kLanes) store(y + i, load(a + i) + load(b + i));
}

template <class T>
void scale_row(const T* x, T* y, int64_t count, float factor) {
  for (int64_t i = 0; i < count * kLanes; i += kLanes) store(y + i, load(x + i) * factor);
}

struct Window {
  int64_t y0, y1, x0, x1;
};

LEPTON_INLINE Window window(const PoolShape& p, int64_t oy, int64_t ox) {
  const int64_t y = oy * p.sh - p.pad_h, x = ox * p.sw - p.pad_w;
  return {y < 0 ? 0 : y, y + p.kh < p.h ? y + p.kh : p.h, x < 0 ? 0 : x, x + p.kw < p.w ? x + p.kw : p.w};
}

template <class T>
void maxpool(const T* x, T* y, int32_t* index, const PoolShape& p) {
  for (int64_t oy = 0; oy < p.out_h; ++oy) {
    for (int64_t ox = 0; ox < p.out_w; ++ox) {
      const Window w = window(p, oy, ox);
      Vec best = load(x + (w.y0 * p.w + w.x0) * kLanes);
      Ints where = Ints{} + static_cast<int32_t>(w.y0 * p.w + w.x0);
      for (int64_t iy = w.y0; iy < w.y1; ++iy) {
        for (int64_t ix = w.x0; ix < w.x1; ++ix) {
          const Vec v = load(x + (iy * p.w + ix) * kLanes);
          const Ints larger = v > best;
          best = select(larger, v, best);
          where = (larger & static_cast<int32_t>(iy * p.w + ix)) | (~larger & where);
        }
      }
      const int64_t out = (oy * p.out_w + ox) * kLanes;
      store(y + out, best);
      if (index != nullptr) *reinterpret_cast<Ints*>(index + out) = where;
    }
  }
}

template <class T>
void maxpool_backward(const T* dy, const T* relu_output, const int32_t* index, T* dx, const PoolShape& p) {
  const bool tiled =
      p.kh == p.sh && p.kw == p.sw && p.out_h * p.sh == p.h && p.out_w * p.sw == p.w && p.pad_h == 0 && p.pad_w == 0;
  if (!tiled) {
    for (int64_t i = 0; i < p.h * p.w; ++i) store(dx + i * kLanes, Vec{});
  }
  for (int64_t oy = 0; oy < p.out_h; ++oy) {
    for (int64_t ox = 0; ox < p.out_w; ++ox) {
      const Window w = window(p, oy, ox);
      const int64_t out = (oy * p.out_w + ox) * kLanes;
      Vec d = load(dy + out);
      if (relu_output != nullptr) d = select(load(relu_output + out) > 0.0F, d, Vec{});
      const Ints where = *reinterpret_cast<const Ints*>(index + out);
      for (int64_t iy = w.y0; iy < w.y1; ++iy) {
        for (int64_t ix = w.x0; ix < w.x1; ++ix) {
          T* to = dx + (iy * p.w + ix) * kLanes;
          const Vec part = select(where == static_cast<int32_t>(iy * p.w + ix), d, Vec{});
          store(to, tiled ? part : load(to) + part);
        }
      }
    }
  }
}

template <class T>
void avgpool(const T* x, T* y, const PoolShape& p) {
  for (int64_t oy = 0; oy < p.out_h; ++oy) {
    for (int64_t ox = 0; ox < p.out_w; ++ox) {
      const Window w = window(p, oy, ox);
      Vec total{};
      for (int64_t iy = w.y0; iy < w.y1; ++iy) {
        for (int64_t ix = w.x0; ix < w.x1; ++ix) total += load(x + (iy * p.w + ix) * kLanes);
      }
      store(y + (oy * p.out_w + ox) * kLanes, total / static_cast<float>((w.y1 - w.y0) * (w.x1 - w.x0)));
    }
  }
}

template <class T>
void avgpool_backward(const T* dy, T* dx, const PoolShape& p) {
  for (int64_t i = 0; i < p.h * p.w; ++i) store(dx + i * kLanes, Vec{});
  for (int64_t oy = 0; oy < p.out_h; ++oy) {
    for (int64_t ox = 0; ox < p.out_w; ++ox) {
      const Window w = window(p, oy, ox);
      const Vec part = load(dy + (oy * p.out_w + ox) * kLanes) / static_cast<float>((w.y1 - w.y0) * (w.x1 - w.x0));
      for (int64_t iy = w.y0; iy < w.y1; ++iy) {
        for (int64_t ix = w.x0; ix < w.x1; ++ix) {
          T* to = dx + (iy * p.w + ix) * kLanes;
          store(to, load(to) + part);
        }
      }
    }
  }
}

template <class T>
void to_float(const T* x, float* y, int64_t count) {
  for (int64_t i = 0; i < count * kLanes; i += kLanes) store(y + i, load(x + i));
}

template <class T>
void from_float(const float* x, T* y, int64_t count) {
  for (int64_t i = 0; i < count * kLanes; i += kLanes) store(y + i, load(x + i));
}

template <class T>
constexpr Rows<T> kRowLoops = {stats<T>,
                               sum_row<T>,
                               affine<T>,
                               affine_reduce<T>,
                               affine_backward<T>,
                               activate<T>,
                               activate_backward<T>,
                               add_rows<T>,
                               scale_row<T>,
                               maxpool<T>,
                               maxpool_backward<T>,
                               avgpool<T>,
                               avgpool_backward<T>,
                               to_float<T>,
                               from_float<T>};

}  // namespace
}  // namespace lepton::cpu
