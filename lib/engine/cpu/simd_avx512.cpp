#include "engine/cpu/simd.h"
// The target holds for what follows only, so that no inline function of a header is compiled for it.
#pragma GCC target("arch=x86-64-v4")
#pragma GCC optimize("O3")
#define LEPTON_SIMD_TABLE kSimdAvx512
#define LEPTON_SIMD_NAME "avx512"
#define LEPTON_SIMD_LANES 16
#include "engine/cpu/simd_body.h"
