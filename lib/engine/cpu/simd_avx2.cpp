#include "engine/cpu/simd.h"
// The target holds for what follows only, so that no inline function of a header is compiled for it.
#pragma GCC target("arch=x86-64-v3")
#pragma GCC optimize("O3")
#define LEPTON_SIMD_TABLE kSimdAvx2
#define LEPTON_SIMD_NAME "avx2"
#define LEPTON_SIMD_LANES 8
#include "engine/cpu/simd_body.h"
