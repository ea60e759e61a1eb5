#include "engine/cpu/winograd_loops.h"
// The target holds for what follows only, so that no inline function of a header is compiled for it.
#pragma GCC target("arch=x86-64-v3")
#pragma GCC optimize("O3")
#define LEPTON_WINOGRAD_LANES 8
#define LEPTON_WINOGRAD_ROWS 3
#include "engine/cpu/winograd_element.h"
// Behind it.
#include "engine/cpu/winograd_body.h"

namespace lepton::cpu {

const WinogradLoops<float, float> kWinogradAvx2 = table<float, float>();

}  // namespace lepton::cpu
