#pragma once
// A regular expression of the command line that takes a part out of a name.
#include <regex.h>

#include <array>
#include <optional>
#include <string>

#include "base/error.h"

namespace lepton {

class Regex {
 public:
  // POSIX extended; `option` for messages. Error(usage) for a pattern that is none. "" matches nothing.
  Regex(std::string option, std::string pattern) : option_(std::move(option)), pattern_(std::move(pattern)) {
    if (pattern_.empty()) return;
    const int status = ::regcomp(&regex_, pattern_.c_str(), REG_EXTENDED);
    if (status == 0) return;
    std::array<char, 200> why{};
    ::regerror(status, &regex_, why.data(), why.size());
    fail(Exit::usage, "{} '{}': {}", option_, pattern_, why.data());
  }
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;
  ~Regex() {
    if (!pattern_.empty()) ::regfree(&regex_);
  }
  bool empty() const { return pattern_.empty(); }
  // The first group, or the whole match where there is none; nothing if the text does not match.
  std::optional<std::string> part(const std::string& text) const {
    std::array<regmatch_t, 2> match{};
    if (empty() || ::regexec(&regex_, text.c_str(), match.size(), match.data(), 0) != 0) return std::nullopt;
    const regmatch_t& found = match[1].rm_so >= 0 ? match[1] : match[0];
    return text.substr(static_cast<size_t>(found.rm_so), static_cast<size_t>(found.rm_eo - found.rm_so));
  }
  // The same, or Error(usage).
  std::string require(const std::string& text) const {
    if (auto found = part(text)) return *found;
    fail(Exit::usage, "{} '{}' matches nothing in '{}'", option_, pattern_, text);
  }

 private:
  std::string option_, pattern_;
  regex_t regex_{};
};

}  // namespace lepton
