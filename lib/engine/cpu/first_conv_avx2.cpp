#include "engine/cpu/first_conv.h"
// The target holds for what follows only, so that no inline function of a header is compiled for it.
#pragma GCC target("arch=x86-64-v3")
#pragma GCC optimize("O3")
#define LEPTON_FIRST_TABLE kFirstConvAvx2
#define LEPTON_FIRST_LANES 8
#include "engine/cpu/first_conv_body.h"
