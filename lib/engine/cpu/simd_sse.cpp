#include "engine/cpu/simd.h"
#pragma GCC optimize("O3")
#define LEPTON_SIMD_TABLE kSimdSse
#define LEPTON_SIMD_NAME "sse"
#define LEPTON_SIMD_LANES 8
#include "engine/cpu/simd_body.h"
