#include "data/split_key.h"

#include <array>

#include "base/error.h"

namespace lepton {

SplitKey::SplitKey(const std::string& pattern) : pattern_(pattern) {
  if (pattern.empty()) return;
  const int status = ::regcomp(&regex_, pattern.c_str(), REG_EXTENDED);
  if (status == 0) return;
  std::array<char, 200> why{};
  ::regerror(status, &regex_, why.data(), why.size());
  fail(Exit::usage, "--split-key '{}': {}", pattern, why.data());
}

SplitKey::~SplitKey() {
  if (!pattern_.empty()) ::regfree(&regex_);
}

std::string SplitKey::operator()(const std::string& id) const {
  std::array<regmatch_t, 2> match{};
  if (::regexec(&regex_, id.c_str(), match.size(), match.data(), 0) != 0) {
    fail(Exit::usage, "--split-key '{}' matches nothing in '{}'", pattern_, id);
  }
  const regmatch_t& part = match[1].rm_so >= 0 ? match[1] : match[0];
  return id.substr(static_cast<size_t>(part.rm_so), static_cast<size_t>(part.rm_eo - part.rm_so));
}

}  // namespace lepton
