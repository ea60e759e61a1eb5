#pragma once
// Any remote, made patient.
#include <functional>
#include <memory>

#include "push/remote.h"

namespace lepton {

// The same remote, whose every verb is tried up to `retries` times more after Error(try_later), with pauses of about 1,
// 2, 4, ... seconds, 30 at most, that end early when stop() says so.
// A put on a condition may then be refused because an earlier try arrived after all: Store::put_text tells.
std::unique_ptr<Remote> with_retries(std::unique_ptr<Remote> remote, int retries, std::function<bool()> stop,
                                     double first_pause_seconds = 1);

}  // namespace lepton
