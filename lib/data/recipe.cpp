#include "data/recipe.h"

#include "data/recipe_audio.h"
#include "data/recipe_image.h"
#include "data/recipe_json.h"
#include "data/recipe_table.h"
#include "data/recipe_text.h"

namespace lepton {

std::unique_ptr<const Recipe> read_recipe(const std::string& json, const RecipeParts& parts) {
  const RecipeJson document = RecipeJson::parse(json, nullptr, false);  // no exceptions: a discarded value is no object
  if (!document.is_object()) refuse_recipe("is not a JSON object");
  if (!document.contains("version") || document["version"] != 1) refuse_recipe("its version is not 1");
  if (!document.contains("kind") || !document["kind"].is_string()) refuse_recipe("has no kind");
  if (!document.contains("steps") || !document["steps"].is_array()) refuse_recipe("has no list of steps");
  if (document.size() != 3) refuse_recipe("has settings this version does not know");
  const auto kind = document["kind"].get<std::string>();
  const RecipeJson& steps = document["steps"];
  if (kind == "table") return std::make_unique<TableRecipe>(TableRecipe::from_steps(steps));
  if (kind == "image") return std::make_unique<ImageRecipe>(ImageRecipe::from_steps(steps));
  if (kind == "audio") return std::make_unique<AudioRecipe>(AudioRecipe::from_steps(steps));
  if (kind == "text") return std::make_unique<TextRecipe>(TextRecipe::from_steps(steps, parts));
  refuse_recipe(fmt::format("its kind '{}' is not one this version knows", kind));
}

int64_t tokens_of(const Dataset& data) {
  for (const Split which : {Split::train, Split::val, Split::test}) {
    const SplitData* split = data.split(which);
    if (split == nullptr) continue;
    return split->type() == ElementType::i32 ? read_recipe(data.meta().recipe, data.meta().parts)->tokens() : 0;
  }
  return 0;
}

bool is_bag(const Dataset& data) {
  return tokens_of(data) > 0 && read_recipe(data.meta().recipe, data.meta().parts)->is_bag();
}

std::string recipe_text(const char* kind, const RecipeJson& steps) {
  return RecipeJson{{"version", 1}, {"kind", kind}, {"steps", steps}}.dump();
}

void refuse_recipe(const std::string& what) {
  fail(Exit::mismatch, "recipe (/meta/recipe): {}; made by another version or damaged", what);
}

const RecipeJson& step_at(const RecipeJson& steps, size_t index, const char* name,
                          std::initializer_list<const char*> keys, const char* optional) {
  if (index >= steps.size()) refuse_recipe(fmt::format("step {}, '{}', is missing", index + 1, name));
  const RecipeJson& step = steps[index];
  const bool named = step.is_object() && step.contains("step") && step["step"] == name;
  if (!named) refuse_recipe(fmt::format("step {} is not '{}'", index + 1, name));
  for (const char* key : keys) {
    if (!step.contains(key)) refuse_recipe(fmt::format("step '{}' lacks '{}'", name, key));
  }
  if (step.size() != keys.size() + 1 + step.contains(optional))
    refuse_recipe(fmt::format("step '{}' has settings this version does not know", name));
  return step;
}

int64_t integer(const RecipeJson& object, const char* key, int64_t low, int64_t high) {
  const RecipeJson& value = object.at(key);
  const bool fits = value.is_number_integer() &&
                    !(value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) &&
                    value.get<int64_t>() >= low && value.get<int64_t>() <= high;
  if (!fits) refuse_recipe(fmt::format("'{}' must be a whole number from {} to {}", key, low, high));
  return value.get<int64_t>();
}

void require_text(const RecipeJson& object, const char* key, const char* text) {
  if (object.at(key) != text) refuse_recipe(fmt::format("'{}' is not '{}'", key, text));
}

}  // namespace lepton
