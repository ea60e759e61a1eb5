#pragma once
// The local files of a push: what they are called in the release, and what they are.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "push/hashes.h"

namespace lepton {

struct LocalFile {
  std::string name;  // in the release: "art/model.h5"
  std::string path;
  FileHashes hashes;
  std::string type;                    // media type
  std::string format, content_sha256;  // of a Lepton file
};

struct CollectOptions {
  std::vector<std::string> include, exclude;  // globs: of the whole name if they hold a slash, else of its last part
  int threads = 1;
  std::function<void(const std::string&)> warn;
};

// Operands: a file goes by its last part, a folder brings everything below it under its own name ("." without one).
// Listed names keep their folders. Sorted by name. Errors: no_input for what is not there, bad_inputs for what is no
// regular file or has a name that is not UTF-8, usage for two files of one name.
std::vector<LocalFile> collect(const std::vector<std::string>& operands, const std::vector<std::string>& listed,
                               const CollectOptions& options);

bool passes_globs(const std::string& name, const std::vector<std::string>& include,
                  const std::vector<std::string>& exclude);
std::string media_type(const std::string& name);

}  // namespace lepton
