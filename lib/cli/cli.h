#pragma once
// What all tools share: the one catch, common options, signals, messages.
#include <functional>
#include <string>

#include "base/error.h"

namespace lepton {

// Runs body, the one place that catches: prints "program: message" to stderr and returns the exit status. Checks the
// last write to stdout (5), ends quietly with 141 on a broken pipe and 128+N on a signal.
int run_main(const char* program, const std::function<Exit()>& body);

// Messages to stderr as "program: text"; quiet suppresses note, verbose enables detail.
enum class Verbosity { quiet, normal, verbose };
void set_verbosity(Verbosity verbosity);
Verbosity verbosity();
void warn(const std::string& text);    // always unless quiet
void note(const std::string& text);    // normal and verbose
void detail(const std::string& text);  // -v only

}  // namespace lepton
