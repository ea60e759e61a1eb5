#pragma once
// Labels that come from other than class folders: a list (--labels), or file names (--label-regex).
#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "data/labels.h"
#include "data/prep.h"
#include "data/prep_regex.h"

namespace lepton {

class ToldLabels {
 public:
  explicit ToldLabels(const PrepOptions& options) : options_(options), regex_("--label-regex", options.label_regex) {
    if (!options.labels.empty() && !regex_.empty()) fail(Exit::usage, "--labels and --label-regex: one of them");
    if (!options.labels.empty()) list_ = LabelList::read(options.labels);
  }
  bool given() const { return list_.has_value() || !regex_.empty(); }
  const std::vector<std::string>& classes() const { return list_ ? list_->classes() : classes_; }

  // The label of an input, an index into classes(), or -1: then why_none() says why.
  int32_t find(const std::string& id) { return list_ ? list_->find(id) : from_name(id); }
  std::string why_none() const {
    return list_ ? "has no label in " + options_.labels
                 : "its name does not match --label-regex " + options_.label_regex;
  }
  // After all inputs were asked for.
  void warn_of_unused(const std::function<void(const std::string&)>& warn) const {
    if (!list_ || list_->unused() == 0) return;
    warn(fmt::format("{}: {} of {} rows name no input", options_.labels, with_commas(list_->unused()),
                     with_commas(list_->size())));
  }

 private:
  int32_t from_name(const std::string& id) {
    const auto name = regex_.part(id.substr(id.rfind('/') + 1));  // npos + 1 is 0
    if (!name || name->empty()) return -1;
    const auto [at, added] = numbers_.try_emplace(*name, static_cast<int32_t>(classes_.size()));
    if (added) classes_.push_back(*name);
    return at->second;
  }

  const PrepOptions& options_;
  Regex regex_;
  std::optional<LabelList> list_;
  std::vector<std::string> classes_;  // of names, in the order they are met
  std::unordered_map<std::string, int32_t> numbers_;
};

}  // namespace lepton
