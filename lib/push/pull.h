#pragma once
// Reading back: what a destination holds, whether it is whole, and files from it.
#include <functional>
#include <string>
#include <vector>

#include "push/seal.h"
#include "push/store.h"

namespace lepton {

struct PullOptions {
  std::string release = "latest";
  std::vector<std::string> include, exclude;  // globs as in CollectOptions
  std::string only;                           // this file alone, by its whole name
  SealOptions seal;
};

struct PullResult {
  std::string state;               // pulled, unchanged
  int64_t objects = 0, bytes = 0;  // fetched
  std::string manifest;
};

// Files of a release into a folder, each whole or not at all, those already there left alone. What an interrupted pull
// fetched is used again. Everything is checked by hash before it gets its name: integrity (6). Nothing else in the
// folder is touched; two pulls into one folder wait for each other. Error(no_input) if nothing is published or nothing
// matches, Error(output) for a full disk.
PullResult pull(Store& store, const std::string& folder, const PullOptions& options);

// Compares every object of a release with what the provider tells of it, with deep by its bytes. Error(integrity) names
// the first fault and how many there are.
PullResult verify(Store& store, const PullOptions& options, bool deep);

}  // namespace lepton
