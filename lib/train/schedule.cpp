#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lepton {

const char* schedule_name(ScheduleKind kind) {
  constexpr const char* kNames[] = {"constant", "step", "cosine", "one-cycle", "linear"};
  return kNames[static_cast<int>(kind)];
}

double schedule_factor(const ScheduleSpec& spec, double progress) {
  const double p = std::clamp(progress, 0.0, 1.0);
  if (p < spec.warmup) {
    const double start = spec.kind == ScheduleKind::one_cycle ? 1.0 / 25 : 0.0;
    return start + (1 - start) * p / spec.warmup;
  }
  const double rest = spec.warmup < 1 ? (p - spec.warmup) / (1 - spec.warmup) : 1;
  switch (spec.kind) {
    case ScheduleKind::constant:
      return 1;
    case ScheduleKind::step:
      return rest < 0.5 ? 1 : rest < 0.75 ? 0.1 : 0.01;
    case ScheduleKind::cosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * rest));
    case ScheduleKind::one_cycle:
    case ScheduleKind::linear:
      return 1 - rest;
  }
  return 1;
}

}  // namespace lepton
