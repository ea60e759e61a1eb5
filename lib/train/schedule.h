#pragma once
// Learning-rate schedules as a pure function of progress.
namespace lepton {

enum class ScheduleKind { constant, step, cosine, one_cycle, linear };

struct ScheduleSpec {
  ScheduleKind kind = ScheduleKind::one_cycle;
  double warmup = 0;  // share of the run in which the rate rises linearly to its top
};

const char* schedule_name(ScheduleKind kind);

// What the top learning rate is multiplied by at `progress` in [0, 1] of the run. After the warm-up: constant 1; step
// 1, 0.1, 0.01 from a half and three quarters on; cosine and linear fall to 0; one-cycle is linear up (from 1/25 of the
// top), then linear down to 0 (Smith 2018, as DAWNBench entries used it).
double schedule_factor(const ScheduleSpec& spec, double progress);

}  // namespace lepton
