#pragma once
// One push to one destination: send what is new, check what arrived, and only then move the name people read from.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "push/collect.h"
#include "push/seal.h"
#include "push/store.h"

namespace lepton {

struct PublishOptions {
  std::string release = "latest";
  std::string time;               // stored in the manifest, or ""
  bool remove_missing = false;    // --delete: the release is exactly these files
  bool deep = false;              // read back what was sent
  int keep = 0;                   // releases to keep of this name; 0 = all that a pointer holds
  double grace_seconds = 86400;   // what nothing refers to is spared for so long
  std::string state_folder;       // where the names of encrypted files are remembered
  std::string* script = nullptr;  // --dry-run
  std::function<void(const std::string&)> warn, detail;
};

struct PublishResult {
  std::string state;               // pushed, unchanged, conflict, dry-run
  int64_t objects = 0, bytes = 0;  // sent
  std::string manifest;            // SHA-256 of the stored manifest
};

// files: as collect() gives them. Errors as Remote says, and integrity where what arrived is not what was sent. In
// every case of failure the published state is as it was.
PublishResult publish(Store& store, const std::string& destination, const std::vector<LocalFile>& files, Sealer& sealer,
                      const PublishOptions& options);

// Moves the pointer to the release before. Error(no_input) if there is none.
PublishResult roll_back(Store& store, const std::string& release);

// Removes objects and manifests that no pointer's releases refer to and that are older than the grace. Returns how
// many. Another run that prunes at the same time is left alone.
int64_t prune(Store& store, double grace_seconds, const std::function<void(const std::string&)>& warn);

// While this object is there and fresh, a prune is under way; whoever publishes waits for its end.
constexpr const char* kPruneMarker = "pruning.json";
constexpr double kPruneMarkerSeconds = 3600;
bool prune_under_way(const std::vector<StoredObject>& listing);

}  // namespace lepton
