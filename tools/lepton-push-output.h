#pragma once
// What lepton-push prints on standard output.
#include <string>
#include <vector>

#include "base/error.h"
#include "push/publish.h"

namespace lepton {

// What became of one destination.
struct Outcome {
  std::string state = "failed";
  int64_t objects = 0, bytes = 0;
  std::string manifest, script, text;
  Exit status = Exit::ok;
};

std::string list_text(const Published& published, bool json);  // the files of a release, a line each
std::string status_text(Store& store, const std::string& destination, bool json);  // its releases, a line each
std::string result_line(const std::string& destination, const Outcome& outcome, bool json);
// --dry-run: a script that does what the push would do.
std::string script_text(const std::string& scratch, const std::vector<std::string>& destinations,
                        const std::vector<Outcome>& outcomes);

}  // namespace lepton
