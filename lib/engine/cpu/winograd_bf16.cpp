#include <immintrin.h>

#include "engine/cpu/winograd_loops.h"
// The target holds for what follows only, so that no inline function of a header is compiled for it.
#pragma GCC target("arch=x86-64-v4,avx512bf16")
#pragma GCC optimize("O3")
#define LEPTON_WINOGRAD_LANES 16
#define LEPTON_WINOGRAD_ROWS 6
#ifndef __clang__
#define LEPTON_WINOGRAD_DOT
#endif
#include "engine/cpu/winograd_element.h"
// Behind it.
#include "engine/cpu/winograd_body.h"

namespace lepton::cpu {

const WinogradLoops<float, Bf16> kWinogradBf16 = table<float, Bf16>();
const WinogradLoops<Bf16, Bf16> kWinogradAllBf16 = table<Bf16, Bf16>();

}  // namespace lepton::cpu
