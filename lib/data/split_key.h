#pragma once
// What keeps samples together in one split.
#include <regex.h>

#include <string>

namespace lepton {

// A compiled --split-key: a POSIX extended regular expression; "" is none.
class SplitKey {
 public:
  explicit SplitKey(const std::string& pattern);  // Error(usage)
  SplitKey(const SplitKey&) = delete;
  SplitKey& operator=(const SplitKey&) = delete;
  ~SplitKey();
  bool empty() const { return pattern_.empty(); }
  // Its first group in the id, or the whole match. Error(usage) where it matches nothing.
  std::string operator()(const std::string& id) const;

 private:
  std::string pattern_;
  regex_t regex_{};
};

}  // namespace lepton
