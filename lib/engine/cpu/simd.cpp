#include "engine/cpu/simd.h"

#include <oneapi/dnnl/dnnl.hpp>

namespace lepton::cpu {

const Simd& simd() {
  static const Simd& chosen = []() -> const Simd& {
    const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
    const auto has = [isa](dnnl::cpu_isa wanted) {
      return (isa & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
    };
    if (has(dnnl::cpu_isa::avx512_core) && __builtin_cpu_supports("avx512vl")) return kSimdAvx512;
    if (has(dnnl::cpu_isa::avx2) && __builtin_cpu_supports("fma")) return kSimdAvx2;
    return kSimdSse;
  }();
  return chosen;
}

bool has_bf16() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return simd().lanes == 16 && (isa & wanted) == wanted && __builtin_cpu_supports("avx512bf16");
}

}  // namespace lepton::cpu
