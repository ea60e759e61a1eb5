#include "data/prep_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "data/known_recipe.h"

namespace lepton {

bool ErrorLimit::allows(int64_t errors, int64_t inputs) const {
  const auto e = static_cast<double>(errors);
  return percent ? e * 100 <= value * static_cast<double>(inputs) : e <= value;
}

ErrorLimit ErrorLimit::parse(const std::string& text) {
  const bool percent = text.ends_with('%');
  const auto value = parse_double(percent ? text.substr(0, text.size() - 1) : text);
  const bool whole = percent || (value && *value == std::floor(*value));
  if (!value || *value < 0 || (percent && *value > 100) || !whole) {
    fail(Exit::usage, "--max-errors {}: expected a number of inputs, such as 10, or a share, such as 2%", text);
  }
  return {*value, percent};
}

int64_t inputs(const Scan& scan) {
  return std::count_if(scan.rows.begin(), scan.rows.end(),
                       [](const Row& row) { return row.state != RowState::ignored; });
}

bool any_good(const Scan& scan) {
  return std::any_of(scan.rows.begin(), scan.rows.end(), [](const Row& row) { return row.state == RowState::good; });
}

bool errors_allowed(const Scan& scan, const PrepOptions& options) {
  return options.max_errors.allows(std::ssize(scan.errors), inputs(scan));
}

std::vector<InputError> plain(const std::vector<RowError>& errors) {
  std::vector<InputError> list;
  list.reserve(errors.size());
  for (const RowError& error : errors) list.push_back(error.error);
  return list;
}

void judge_errors(Scan& scan, const PrepOptions& options, const PrepHooks& hooks, const char* nothing) {
  std::stable_sort(scan.errors.begin(), scan.errors.end(), [](const RowError& a, const RowError& b) {
    return a.row + 1 < b.row + 1;  // kNoRow + 1 is 0: folders first
  });
  const bool usable = any_good(scan);
  if (usable && errors_allowed(scan, options)) return;
  const std::string all = with_commas(inputs(scan));
  hooks.report(plain(scan.errors));
  if (!usable && scan.errors.empty()) fail(Exit::no_input, "{}", nothing);
  if (!usable) fail(Exit::no_input, "none of {} inputs is usable", all);
  fail(Exit::bad_inputs, "{} of {} inputs are bad, more than --max-errors allows: no dataset written",
       with_commas(std::ssize(scan.errors)), all);
}

void judge_classes(const Scan& scan, const PrepHooks& hooks, const char* one_class) {
  std::vector<bool> seen(scan.classes.size(), false);
  for (const Row& row : scan.rows) {
    if (row.state == RowState::good && row.split == Split::train && row.label >= 0) {
      seen[static_cast<size_t>(row.label)] = true;
    }
  }
  const auto classes = std::count(seen.begin(), seen.end(), true);
  if (classes == 0) {
    hooks.warn("no training samples: mean and standard deviation are left at 0 and 1");
  } else if (classes == 1) {
    const auto only = static_cast<size_t>(std::find(seen.begin(), seen.end(), true) - seen.begin());
    fail(Exit::no_input, fmt::runtime(one_class), scan.classes[only]);
  }
}

std::string provenance(const PrepOptions& options, const Scan& scan,
                       const std::function<void(nlohmann::ordered_json&, const PrepOptions&)>& add) {
  nlohmann::ordered_json json;
  json["program"] = "lepton-prep";
  json["version"] = options.version;
  json["seed"] = options.seed;
  if (options.known != nullptr) json["recipe"] = options.known->content_sha256;
  add(json, options);
  if (std::any_of(scan.rows.begin(), scan.rows.end(), [](const Row& row) { return row.divided; })) {
    const auto& p = options.shares.percent;
    json["split"] = fmt::format("{:g}/{:g}/{:g}", p[0], p[1], p[2]);
    if (!options.split_key.empty()) json["split-key"] = options.split_key;
  }
  if (!options.label_regex.empty()) json["label-regex"] = options.label_regex;
  if (!options.class_names.empty()) json["class-names"] = options.class_names;
  return json.dump();
}

}  // namespace lepton
