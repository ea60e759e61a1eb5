#include "data/recipe.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"

namespace lepton {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMaxExtent = 65535;
constexpr int64_t kMaxPixels = int64_t{1} << 40;
constexpr int64_t kMaxSample = int64_t{1} << 30;  // bytes of one sample
constexpr std::array<std::pair<ResizeMode, const char*>, 3> kModes = {
    {{ResizeMode::fit, "fit"}, {ResizeMode::crop, "crop"}, {ResizeMode::stretch, "stretch"}}};

[[noreturn]] void refuse(const std::string& what) {
  fail(Exit::mismatch, "recipe (/meta/recipe): {}; made by another version or damaged", what);
}

// A step with exactly the keys given, the first of them "step" with the name given, and perhaps the optional one.
const Json& step_at(const Json& steps, size_t index, const char* name, std::initializer_list<const char*> keys,
                    const char* optional = "") {
  if (index >= steps.size()) refuse(fmt::format("step {}, '{}', is missing", index + 1, name));
  const Json& step = steps[index];
  const bool named = step.is_object() && step.contains("step") && step["step"] == name;
  if (!named) refuse(fmt::format("step {} is not '{}'", index + 1, name));
  for (const char* key : keys) {
    if (!step.contains(key)) refuse(fmt::format("step '{}' lacks '{}'", name, key));
  }
  if (step.size() != keys.size() + 1 + step.contains(optional))
    refuse(fmt::format("step '{}' has settings this version does not know", name));
  return step;
}

int64_t integer(const Json& object, const char* key, int64_t low, int64_t high) {
  const Json& value = object.at(key);
  const bool fits = value.is_number_integer() &&
                    !(value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) &&
                    value.get<int64_t>() >= low && value.get<int64_t>() <= high;
  if (!fits) refuse(fmt::format("'{}' must be a whole number from {} to {}", key, low, high));
  return value.get<int64_t>();
}

void require_text(const Json& object, const char* key, const char* text) {
  if (object.at(key) != text) refuse(fmt::format("'{}' is not '{}'", key, text));
}

ResizeMode resize_mode(const Json& step) {
  for (const auto& [mode, name] : kModes) {
    if (step.at("mode") == name) return mode;
  }
  refuse("the resize mode is none of fit, crop and stretch");
}

const char* mode_name(ResizeMode wanted) {
  for (const auto& [mode, name] : kModes) {
    if (mode == wanted) return name;
  }
  fail(Exit::bug, "resize mode {} has no name", static_cast<int>(wanted));
}

Recipe parse(const Json& document) {
  if (!document.is_object()) refuse("is not a JSON object");
  if (!document.contains("version") || document["version"] != 1) refuse("its version is not 1");
  if (!document.contains("kind") || document["kind"] != "image") refuse("its kind is not 'image'");
  if (!document.contains("steps") || !document["steps"].is_array()) refuse("has no list of steps");
  if (document.size() != 3) refuse("has settings this version does not know");
  const Json& steps = document["steps"];
  Recipe recipe;
  const Json& decode = step_at(steps, 0, "decode", {"max_pixels", "orientation", "alpha"});
  recipe.max_pixels = integer(decode, "max_pixels", 1, kMaxPixels);
  require_text(decode, "orientation", "exif");
  require_text(decode, "alpha", "white");
  const Json& colour = step_at(steps, 1, "channels", {"channels"}, "gray");
  recipe.channels = integer(colour, "channels", 1, 3);
  if (recipe.channels == 2) refuse("'channels' must be 1 or 3");
  recipe.gray_wanted = colour.contains("gray");
  if (recipe.gray_wanted && (colour["gray"] != true || recipe.channels != 1))
    refuse("'gray' does not fit the channels");
  recipe.resize = steps.size() > 2 && steps[2].is_object() && steps[2].contains("step") && steps[2]["step"] == "resize";
  const Json& size = recipe.resize ? step_at(steps, 2, "resize", {"width", "height", "mode"})
                                   : step_at(steps, 2, "require", {"width", "height"});
  recipe.width = integer(size, "width", 1, kMaxExtent);
  recipe.height = integer(size, "height", 1, kMaxExtent);
  if (recipe.resize) recipe.mode = resize_mode(size);
  if (recipe.sample_shape().elements() > kMaxSample) refuse("its samples are larger than a gibibyte");
  if (steps.size() != 3) refuse("has steps this version does not know");
  return recipe;
}

}  // namespace

std::string Recipe::json() const {
  Json steps = Json::array();
  steps.push_back({{"step", "decode"}, {"max_pixels", max_pixels}, {"orientation", "exif"}, {"alpha", "white"}});
  steps.push_back({{"step", "channels"}, {"channels", channels}});
  if (gray_wanted) steps.back()["gray"] = true;
  Json size = {{"step", resize ? "resize" : "require"}, {"width", width}, {"height", height}};
  if (resize) size["mode"] = mode_name(mode);
  steps.push_back(size);
  return Json{{"version", 1}, {"kind", kind}, {"steps", steps}}.dump();
}

Recipe Recipe::from_json(const std::string& json) {
  const Json document = Json::parse(json, nullptr, false);  // no exceptions: a discarded value is no object
  return parse(document);
}

std::vector<uint8_t> apply_recipe(const Recipe& recipe, std::span<const uint8_t> file) {
  return apply_recipe(recipe, decode_image(file, {recipe.max_pixels}));
}

std::vector<uint8_t> apply_recipe(const Recipe& recipe, Image image) {
  if (image.channels != recipe.channels) image = recipe.channels == 1 ? to_gray(image) : to_rgb(image);
  if (image.width != recipe.width || image.height != recipe.height) {
    if (!recipe.resize) {
      fail(Exit::bad_inputs, "is {}x{}, expected {}x{}", image.width, image.height, recipe.width, recipe.height);
    }
    image = resize_image(image, recipe.width, recipe.height, recipe.mode);
  }
  return std::move(image.pixels);
}

bool loses_colour(const Recipe& recipe, const Image& image) {
  if (recipe.channels != 1 || recipe.gray_wanted || image.channels != 3) return false;
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    if (image.pixels[i] != image.pixels[i + 1] || image.pixels[i] != image.pixels[i + 2]) return true;
  }
  return false;
}

}  // namespace lepton
