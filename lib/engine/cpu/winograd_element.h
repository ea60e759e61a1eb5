// Vectors, and how numbers of each type become and leave them, for winograd_body.h; included behind the target and the
// lane count.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace lepton::cpu {
namespace {

constexpr int kLanes = LEPTON_WINOGRAD_LANES;
typedef float Vec __attribute__((vector_size(4 * kLanes), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes), may_alias));
typedef uint16_t Halves __attribute__((vector_size(2 * kLanes), may_alias));

#define LEPTON_INLINE static inline __attribute__((always_inline))

LEPTON_INLINE Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
LEPTON_INLINE void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }

// Factors of products: kSteps of them are multiplied and added at once, side by side in memory.
template <class P>
struct Factor;

template <>
struct Factor<float> {
  static constexpr int kSteps = 1;
  using Values = Vec;
  LEPTON_INLINE Vec read(const float* p) { return load(p); }
  LEPTON_INLINE Vec spread(const float* p) { return *p - Vec{}; }  // not Vec{} +, which is an addition to the compiler
  LEPTON_INLINE Vec add(Vec sum, Vec a, Vec b) { return sum + a * b; }
  LEPTON_INLINE void write(float* p, const Vec* v) { store(p, *v); }
};

#ifdef LEPTON_WINOGRAD_DOT
LEPTON_INLINE Ints widened(Halves v) {  // by name, since GCC 12 widens in halves
  Ints wide;
  asm("vpmovzxwd %1, %0" : "=v"(wide) : "vm"(v));
  return wide;
}
LEPTON_INLINE Halves halves(Vec v) { return reinterpret_cast<Halves>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(v))); }
LEPTON_INLINE Vec add_products(Vec sum, Ints a, Ints b) {
  return reinterpret_cast<Vec>(
      _mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
}
#else  // the same in plain arithmetic, for compilers that know no targets by pragma
LEPTON_INLINE Ints widened(Halves v) { return __builtin_convertvector(v, Ints); }
LEPTON_INLINE Halves halves(Vec v) {
  const Ints bits = reinterpret_cast<Ints>(v);
  return __builtin_convertvector((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16, Halves);
}
LEPTON_INLINE Vec add_products(Vec sum, Ints a, Ints b) {
  const Vec high = reinterpret_cast<Vec>(a & -0x10000) * reinterpret_cast<Vec>(b & -0x10000);
  return sum + reinterpret_cast<Vec>(a << 16) * reinterpret_cast<Vec>(b << 16) + high;
}
#endif

LEPTON_INLINE Vec load(const Bf16* p) {
  return reinterpret_cast<Vec>(widened(*reinterpret_cast<const Halves*>(p)) << 16);
}
LEPTON_INLINE void store(Bf16* p, Vec v) { *reinterpret_cast<Halves*>(p) = halves(v); }

template <>
struct Factor<Bf16> {
  static constexpr int kSteps = 2;
  using Values = Ints;
  LEPTON_INLINE Ints read(const Bf16* p) { return *reinterpret_cast<const Ints*>(p); }
  LEPTON_INLINE Ints spread(const Bf16* p) {
    typedef int32_t Pair __attribute__((may_alias));
    return *reinterpret_cast<const Pair*>(p) - Ints{};
  }
  LEPTON_INLINE Vec add(Vec sum, Ints a, Ints b) { return add_products(sum, a, b); }
  // Lane by lane, v[0] beside v[1].
  LEPTON_INLINE void write(Bf16* p, const Vec* v) {
    *reinterpret_cast<Ints*>(p) = widened(halves(v[0])) | (widened(halves(v[1])) << 16);
  }
};

}  // namespace
}  // namespace lepton::cpu
