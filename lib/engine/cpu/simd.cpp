#include "engine/cpu/simd.h"

#include <oneapi/dnnl/dnnl.hpp>

namespace lepton::cpu {

namespace {

bool has(dnnl::cpu_isa wanted) {
  static const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  return (isa & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
}

}  // namespace

const Simd& simd() {
  static const Simd& chosen = []() -> const Simd& {
    if (has(dnnl::cpu_isa::avx512_core) && __builtin_cpu_supports("avx512vl")) return kSimdAvx512;
    if (has(dnnl::cpu_isa::avx2) && __builtin_cpu_supports("fma")) return kSimdAvx2;
    return kSimdSse;
  }();
  return chosen;
}

bool has_vnni() { return has(dnnl::cpu_isa::avx512_core_vnni) || has(dnnl::cpu_isa::avx2_vnni); }

bool has_bf16() {
  return simd().lanes == 16 && has(dnnl::cpu_isa::avx512_core_bf16) && __builtin_cpu_supports("avx512bf16");
}

}  // namespace lepton::cpu
