#pragma once
// What this machine remembers of encrypted releases: their names and hashes, which the destination cannot tell it.
#include <string>

#include "push/manifest.h"

namespace lepton {

// $XDG_STATE_HOME/lepton/push, or ~/.local/state/lepton/push; "" where there is no home.
std::string default_state_folder();

// Fills in the files of a sealed manifest if this machine published it; false if not. A damaged memory is none.
bool recall(const std::string& folder, const std::string& destination, const std::string& manifest_hash,
            Manifest& manifest);
// Error(output) if the folder cannot be written. Readable by its owner alone.
void remember(const std::string& folder, const std::string& destination, const std::string& manifest_hash,
              const Manifest& manifest);

}  // namespace lepton
