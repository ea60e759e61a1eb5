#pragma once
// Where a tool reads a model or a dataset, a place in a cloud may stand: s3://bucket/models/digits.h5, artifact
// digits.h5 of the release "latest" at s3://bucket/models/; digits.h5@staging for another release.
#include <functional>
#include <string>

namespace lepton {

// The path of a local copy, fetched into the cache ($XDG_CACHE_HOME/lepton, or ~/.cache/lepton) unless it is there and
// has the hash of the manifest. "...h5:test" keeps what follows the name: "/cache/...h5:test". Anything that is no
// reference comes back as it is. LEPTON_IDENTITY and LEPTON_ALLOWED_SIGNERS name files as lepton-push's --identity and
// --allowed-signers do. Errors as pull(); no_input if the release has no such artifact.
std::string local_copy(const std::string& operand, const std::function<bool()>& stop);

}  // namespace lepton
