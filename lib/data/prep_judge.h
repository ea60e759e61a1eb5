#pragma once
// What every way to a dataset judges alike: bad inputs against their limit, the classes of the training data; and the
// provenance it leaves.
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/prep_scan.h"

namespace lepton {

int64_t inputs(const Scan& scan);  // good and bad
bool any_good(const Scan& scan);
bool errors_allowed(const Scan& scan, const PrepOptions& options);
std::vector<InputError> plain(const std::vector<RowError>& errors);

// Sorts the errors by row. Where none of the inputs is usable, or more are bad than allowed, reports them and throws
// Error(no_input) or Error(bad_inputs); `nothing` is the message where there were none at all.
void judge_errors(Scan& scan, const PrepOptions& options, const PrepHooks& hooks, const char* nothing);

// Error(no_input) where all training samples are of one class; `one_class` is the message, {} its name. Warns where
// there are no training samples.
void judge_classes(const Scan& scan, const PrepHooks& hooks, const char* one_class);

// JSON of program, version, seed, splits and class names, with what `add` puts between them.
std::string provenance(const PrepOptions& options, const Scan& scan,
                       const std::function<void(nlohmann::ordered_json&, const PrepOptions&)>& add);

}  // namespace lepton
