// Moving back, and removing what no release refers to.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <set>

#include "base/error.h"
#include "push/publish.h"

namespace lepton {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Held by the one run that prunes. Publishers that list the destination after it was put wait; those that listed it
// before have sent everything they need, so that it is too young to go.
class PruneMarker {
 public:
  PruneMarker(Store& store, std::function<void(const std::string&)> warn) : store_(store), warn_(std::move(warn)) {
    // No two runs write the same: what is stored tells whose it is.
    const std::string text =
        fmt::format("{{\"format\":\"lepton-pruning\",\"version\":1,\"run\":{}}}\n", std::random_device{}());
    held_ = store.put_text(kPruneMarker, text, {Condition::Kind::absent, ""});
    if (held_ || prune_under_way(store.remote().list(kPruneMarker))) return;
    held_ = store.put_text(kPruneMarker, text, {});  // of a run that died
  }
  PruneMarker(const PruneMarker&) = delete;
  PruneMarker& operator=(const PruneMarker&) = delete;
  ~PruneMarker() {
    try {
      const std::vector<std::string> key = {kPruneMarker};
      if (held_) store_.remote().remove(key);
    } catch (const std::exception& error) {
      if (warn_) warn_(std::string(error.what()) + "; the mark of this prune stays for an hour");
    }
  }
  bool held() const { return held_; }

 private:
  Store& store_;
  std::function<void(const std::string&)> warn_;
  bool held_ = false;
};

std::set<std::string> referenced_keys(Store& store, const std::vector<StoredObject>& listing) {
  std::set<std::string> manifests, keys;
  for (const Pointer& pointer : store.read_pointers(listing)) {
    for (const Release& release : pointer.releases) manifests.insert(release.manifest);
  }
  for (const std::string& hash : manifests) keys.insert(manifest_key(hash));
  for (const Manifest& m : store.read_manifests({manifests.begin(), manifests.end()})) {
    for (const ManifestObject& object : m.objects) keys.insert(object_key(object.sha256));
  }
  return keys;
}

}  // namespace

bool prune_under_way(const std::vector<StoredObject>& listing) {
  return std::any_of(listing.begin(), listing.end(), [](const StoredObject& o) {
    return o.key == kPruneMarker && static_cast<double>(o.modified) > now_seconds() - kPruneMarkerSeconds;
  });
}

int64_t prune(Store& store, double grace_seconds, const std::function<void(const std::string&)>& warn) {
  const PruneMarker marker(store, warn);
  if (!marker.held()) {
    if (warn) warn(store.name_of("") + ": another run is pruning; left to it");
    return 0;
  }
  const double begun = now_seconds();
  const std::vector<StoredObject> listing = store.remote().list("");
  const std::set<std::string> referenced = referenced_keys(store, listing);
  std::vector<std::string> doomed;
  for (const StoredObject& object : listing) {
    const bool ours = object.key.starts_with("objects/sha256/") || object.key.starts_with("manifests/");
    const bool old = static_cast<double>(object.modified) <= begun - grace_seconds;
    if (ours && old && !referenced.contains(object.key)) doomed.push_back(object.key);
  }
  // So late that others may already take the marker for a dead run's, nothing is removed any more.
  if (now_seconds() - begun > kPruneMarkerSeconds / 2) return 0;
  if (!doomed.empty()) store.remote().remove(doomed);
  return std::ssize(doomed);
}

PublishResult roll_back(Store& store, const std::string& release) {
  const std::optional<Published> now = store.read_pointer(release);
  if (!now) fail(Exit::no_input, "{}: nothing is published under the name '{}'", store.name_of(""), release);
  Pointer pointer = now->pointer;
  if (pointer.releases.size() < 2) {
    fail(Exit::no_input, "{}: '{}' has no release before this one", store.name_of(""), release);
  }
  pointer.releases.erase(pointer.releases.begin());
  const bool moved = store.replace_pointer(now, pointer);
  return {moved ? "rolled-back" : "conflict", 0, 0, pointer.releases.front().manifest};
}

}  // namespace lepton
