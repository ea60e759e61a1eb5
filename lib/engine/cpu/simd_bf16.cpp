#include "engine/cpu/simd.h"
// The target holds for what follows only, so that no inline function of a header is compiled for it.
#pragma GCC target("arch=x86-64-v4")
#pragma GCC optimize("O3")
#define LEPTON_SIMD_LANES 16
#define LEPTON_SIMD_BF16
#include "engine/cpu/simd_rows.h"

namespace lepton::cpu {

extern const Rows<Bf16> kRowsBf16 = kRowLoops<Bf16>;

}  // namespace lepton::cpu
