#include "engine/cpu/first_conv.h"
// The target holds for what follows only, so that no inline function of a header is compiled for it.
#pragma GCC target("arch=x86-64-v4")
#pragma GCC optimize("O3")
#define LEPTON_FIRST_TABLE kFirstConvAvx512
#define LEPTON_FIRST_LANES 16
#include "engine/cpu/first_conv_body.h"
