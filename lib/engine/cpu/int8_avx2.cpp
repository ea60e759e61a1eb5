#include "engine/cpu/int8.h"
// The target holds for what follows only, so that no inline function of a header is compiled for it.
#pragma GCC target("arch=x86-64-v3")
#pragma GCC optimize("O3")
#define LEPTON_INT8_TABLE kInt8Avx2
#define LEPTON_INT8_LANES 8
#include "engine/cpu/int8_body.h"
