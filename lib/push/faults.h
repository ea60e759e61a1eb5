#pragma once
// Whether a destination holds what it should.
#include <span>
#include <string>
#include <vector>

#include "push/store.h"

namespace lepton {

struct ObjectCheck {
  ManifestObject wanted;
  std::string local;  // a file that holds what it should, or ""
};

struct ObjectFault {
  std::string object, why;  // SHA-256; "is missing"
};

// Asks no more than is needed: the listing's hashes, then each doubtful object's own description, then its bytes; with
// deep the bytes of all, fetched in batches of at most a gigabyte.
std::vector<ObjectFault> find_faults(Store& store, std::span<const StoredObject> listing,
                                     std::span<const ObjectCheck> checks, bool deep);

}  // namespace lepton
