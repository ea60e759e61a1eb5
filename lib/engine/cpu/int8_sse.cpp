#include "engine/cpu/int8.h"
#pragma GCC optimize("O3")
#define LEPTON_INT8_TABLE kInt8Sse
#define LEPTON_INT8_LANES 8
#include "engine/cpu/int8_body.h"
