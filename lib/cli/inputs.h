#pragma once
// Lists of inputs: operands, --files-from, --files0-from; "-" is standard input.
#include <functional>
#include <string>
#include <vector>

namespace lepton {

// Calls take for each name in the list as it comes, so that a live pipe is answered line by line; take returns false to
// stop. separator is '\n' (a final \r is kept: it may belong to a name) or '\0'. Empty names are skipped. While nothing
// comes, `wanted` is asked ten times a second whether to go on waiting.
void for_each_name(
    const std::string& list_path, char separator, const std::function<bool(const std::string&)>& take,
    const std::function<bool()>& wanted = [] { return true; });

// The whole list at once.
std::vector<std::string> read_names(const std::string& list_path, char separator);

}  // namespace lepton
