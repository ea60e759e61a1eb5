#include "engine/cpu/winograd_loops.h"
// The target holds for what follows only, so that no inline function of a header is compiled for it.
#pragma GCC target("arch=x86-64-v4")
#pragma GCC optimize("O3")
#define LEPTON_WINOGRAD_LANES 16
#define LEPTON_WINOGRAD_ROWS 6
#include "engine/cpu/winograd_element.h"
// Behind it.
#include "engine/cpu/winograd_body.h"

namespace lepton::cpu {

const WinogradLoops<float, float> kWinogradAvx512 = table<float, float>();

}  // namespace lepton::cpu
