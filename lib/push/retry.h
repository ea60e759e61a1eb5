#pragma once
// Any remote, made patient.
#include <functional>
#include <memory>

#include "push/remote.h"

namespace lepton {

// The same remote, whose every verb is tried up to `retries` times more after Error(try_later), with pauses of about 1,
// 2, 4, ... seconds, 30 at most, that end early when stop() says so. A put that fails its condition only because an
// earlier try of its own arrived after all is told from a lost race by what is stored.
std::unique_ptr<Remote> with_retries(std::unique_ptr<Remote> remote, int retries, std::function<bool()> stop,
                                     double first_pause_seconds = 1);

}  // namespace lepton
