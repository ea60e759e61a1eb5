// Body of the loops in int8.h. Included once by each int8_*.cpp of an instruction set, behind its target and lane
// count; no other includes, for the reason in simd_body.h.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace lepton::cpu {
namespace {

constexpr int kLanes = LEPTON_INT8_LANES;
typedef float Vec __attribute__((vector_size(4 * kLanes), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes), may_alias));
typedef uint8_t Unsigned __attribute__((vector_size(kLanes), may_alias, aligned(1)));
typedef int8_t Signed __attribute__((vector_size(kLanes), may_alias, aligned(1)));
typedef uint8_t Unsigned16 __attribute__((vector_size(16), may_alias));
typedef int8_t Signed16 __attribute__((vector_size(16), may_alias));

#define LEPTON_INLINE static inline __attribute__((always_inline))

LEPTON_INLINE Vec select(Ints mask, Vec a, Vec b) {
  return reinterpret_cast<Vec>((mask & reinterpret_cast<Ints>(a)) | (~mask & reinterpret_cast<Ints>(b)));
}

// Within [low, high], rounded as the processor's own conversions round; magnitudes up to 2^22.
LEPTON_INLINE void store_bytes(Vec v, Vec low, Vec high, uint8_t* y) {
  v = select(v > low, v, low);
  v = select(v < high, v, high);
  const Ints whole = reinterpret_cast<Ints>(v + 12582912.0F) - 0x4B400000;  // 1.5 * 2^23
  *reinterpret_cast<Unsigned*>(y) = __builtin_convertvector(whole, Unsigned);
}

template <bool kSigned>
LEPTON_INLINE Ints load_bytes(const uint8_t* x) {
  if constexpr (kSigned) return __builtin_convertvector(*reinterpret_cast<const Signed*>(x), Ints);
  return __builtin_convertvector(*reinterpret_cast<const Unsigned*>(x), Ints);
}

template <class F>
LEPTON_INLINE void with_sign(bool is_signed, F f) {
  if (is_signed) return f.template operator()<true>();
  f.template operator()<false>();
}

void quantise(const float* x, int64_t pixels, float inverse, float low, float high, uint8_t* y, int64_t stride) {
  const Vec least = Vec{} + low, most = Vec{} + high;
  for (int64_t i = 0; i < pixels; ++i) {
    store_bytes(*reinterpret_cast<const Vec*>(x + i * kLanes) * inverse, least, most, y + i * stride);
  }
}

void dequantise(const uint8_t* x, bool is_signed, int64_t pixels, int64_t stride, float scale, float* y) {
  with_sign(is_signed, [&]<bool kSigned>() {
    for (int64_t i = 0; i < pixels; ++i) {
      *reinterpret_cast<Vec*>(y + i * kLanes) =
          __builtin_convertvector(load_bytes<kSigned>(x + i * stride), Vec) * scale;
    }
  });
}

struct Window {
  int64_t y0, y1, x0, x1;
};

LEPTON_INLINE Window window(const PoolShape& p, int64_t oy, int64_t ox) {
  const int64_t y = oy * p.sh - p.pad_h, x = ox * p.sw - p.pad_w;
  return {y < 0 ? 0 : y, y + p.kh < p.h ? y + p.kh : p.h, x < 0 ? 0 : x, x + p.kw < p.w ? x + p.kw : p.w};
}

template <class Bytes>
LEPTON_INLINE void maxpool_as(const uint8_t* x, int64_t channels, const PoolShape& p, uint8_t* y) {
  for (int64_t oy = 0; oy < p.out_h; ++oy) {
    for (int64_t ox = 0; ox < p.out_w; ++ox, y += channels) {
      const Window w = window(p, oy, ox);
      for (int64_t c = 0; c < channels; c += 16) {
        Bytes best = *reinterpret_cast<const Bytes*>(x + (w.y0 * p.w + w.x0) * channels + c);
        for (int64_t iy = w.y0; iy < w.y1; ++iy) {
          for (int64_t ix = w.x0; ix < w.x1; ++ix) {
            const Bytes v = *reinterpret_cast<const Bytes*>(x + (iy * p.w + ix) * channels + c);
            best = v > best ? v : best;
          }
        }
        *reinterpret_cast<Bytes*>(y + c) = best;
      }
    }
  }
}

void maxpool(const uint8_t* x, bool is_signed, int64_t channels, const PoolShape& p, uint8_t* y) {
  if (is_signed) {
    maxpool_as<Signed16>(x, channels, p, y);
  } else {
    maxpool_as<Unsigned16>(x, channels, p, y);
  }
}

void avgpool(const uint8_t* x, bool is_signed, int64_t stride, const PoolShape& p, float scale, float* y) {
  with_sign(is_signed, [&]<bool kSigned>() {
    for (int64_t oy = 0; oy < p.out_h; ++oy) {
      for (int64_t ox = 0; ox < p.out_w; ++ox, y += kLanes) {
        const Window w = window(p, oy, ox);
        Ints sum{};
        for (int64_t iy = w.y0; iy < w.y1; ++iy) {
          for (int64_t ix = w.x0; ix < w.x1; ++ix) sum += load_bytes<kSigned>(x + (iy * p.w + ix) * stride);
        }
        const auto count = static_cast<float>((w.y1 - w.y0) * (w.x1 - w.x0));
        *reinterpret_cast<Vec*>(y) = __builtin_convertvector(sum, Vec) * (scale / count);
      }
    }
  });
}

void add(const uint8_t* a, bool signed_a, float factor_a, const uint8_t* b, bool signed_b, float factor_b,
         int64_t count, float low, float high, uint8_t* y) {
  const Vec least = Vec{} + low, most = Vec{} + high;
  with_sign(signed_a, [&]<bool kA>() {
    with_sign(signed_b, [&]<bool kB>() {
      for (int64_t i = 0; i < count; i += kLanes) {
        const Vec sum = __builtin_convertvector(load_bytes<kA>(a + i), Vec) * factor_a +
                        __builtin_convertvector(load_bytes<kB>(b + i), Vec) * factor_b;
        store_bytes(sum, least, most, y + i);
      }
    });
  });
}

}  // namespace

extern const Int8Loops LEPTON_INT8_TABLE = {quantise, dequantise, maxpool, avgpool, add};

}  // namespace lepton::cpu
