#pragma once
// What all tools share: the one catch, and messages to stderr as "program: text".
#include <cstdio>
#include <functional>
#include <string>

#include "base/error.h"

namespace lepton {

// Runs body, the one place that catches: prints "program: message" to stderr and returns the exit status. Checks the
// last write to stdout (5), ends quietly with 141 on a broken pipe, and with 128+N where a signal was asked to end it.
int run_main(const char* program, const std::function<Exit()>& body);

// quiet silences all but errors; verbose adds the reasons for decisions.
enum class Verbosity { quiet, normal, verbose };
void set_verbosity(Verbosity level);
Verbosity verbosity();
void complain(const std::string& text);  // always: what makes the status what it is, beside an Error
void warn(const std::string& text);      // unless quiet
void note(const std::string& text);      // unless quiet
void detail(const std::string& text);    // with -v only
std::FILE* message_stream();             // where these go: standard error as the program began with it

// Writes data for the next program to stdout. Error(output) when that fails; a broken pipe ends the tool with 141.
void print(const std::string& text);
void flush_output();

}  // namespace lepton
