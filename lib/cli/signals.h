#pragma once
// INT and TERM once ask to stop, twice stop at once; USR1 asks for a checkpoint.

namespace lepton {

// Installs the handlers; INT or TERM a second time removes unfinished outputs and ends the process with 128+N.
// With graceful false, that happens the first time already.
void catch_signals(bool graceful);
int stop_requested();            // the signal's number, or 0
bool take_checkpoint_request();  // true once after each USR1

}  // namespace lepton
