#pragma once
// What the kinds of recipes share when they are read from JSON. Every failure is an Error(mismatch).
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"

namespace lepton {

using RecipeJson = nlohmann::ordered_json;

std::string recipe_text(const char* kind, const RecipeJson& steps);
[[noreturn]] void refuse_recipe(const std::string& what);

// A step with exactly the keys given, the first of them "step" with the name given, and perhaps the optional one.
const RecipeJson& step_at(const RecipeJson& steps, size_t index, const char* name,
                          std::initializer_list<const char*> keys, const char* optional = "");
int64_t integer(const RecipeJson& object, const char* key, int64_t low, int64_t high);
void require_text(const RecipeJson& object, const char* key, const char* text);

}  // namespace lepton
