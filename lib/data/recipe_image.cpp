#include "data/recipe_image.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "data/recipe_json.h"

namespace lepton {
namespace {

constexpr int64_t kMaxExtent = 65535;
constexpr int64_t kMaxPixels = int64_t{1} << 40;
constexpr int64_t kMaxSample = int64_t{1} << 30;  // bytes of one sample
constexpr std::array<std::pair<ResizeMode, const char*>, 3> kModes = {
    {{ResizeMode::fit, "fit"}, {ResizeMode::crop, "crop"}, {ResizeMode::stretch, "stretch"}}};

ResizeMode resize_mode(const RecipeJson& step) {
  for (const auto& [mode, name] : kModes) {
    if (step.at("mode") == name) return mode;
  }
  refuse_recipe("the resize mode is none of fit, crop and stretch");
}

const char* mode_name(ResizeMode wanted) {
  for (const auto& [mode, name] : kModes) {
    if (mode == wanted) return name;
  }
  fail(Exit::bug, "resize mode {} has no name", static_cast<int>(wanted));
}

}  // namespace

ImageRecipe ImageRecipe::from_steps(const RecipeJson& steps) {
  ImageRecipe recipe;
  const RecipeJson& decode = step_at(steps, 0, "decode", {"max_pixels", "orientation", "alpha"});
  recipe.max_pixels = integer(decode, "max_pixels", 1, kMaxPixels);
  require_text(decode, "orientation", "exif");
  require_text(decode, "alpha", "white");
  const RecipeJson& colour = step_at(steps, 1, "channels", {"channels"}, "gray");
  recipe.channels = integer(colour, "channels", 1, 3);
  if (recipe.channels == 2) refuse_recipe("'channels' must be 1 or 3");
  recipe.gray_wanted = colour.contains("gray");
  if (recipe.gray_wanted && (colour["gray"] != true || recipe.channels != 1))
    refuse_recipe("'gray' does not fit the channels");
  recipe.resize = steps.size() > 2 && steps[2].is_object() && steps[2].contains("step") && steps[2]["step"] == "resize";
  const RecipeJson& size = recipe.resize ? step_at(steps, 2, "resize", {"width", "height", "mode"})
                                         : step_at(steps, 2, "require", {"width", "height"});
  recipe.width = integer(size, "width", 1, kMaxExtent);
  recipe.height = integer(size, "height", 1, kMaxExtent);
  if (recipe.resize) recipe.mode = resize_mode(size);
  if (recipe.sample_shape().elements() > kMaxSample) refuse_recipe("its samples are larger than a gibibyte");
  if (steps.size() != 3) refuse_recipe("has steps this version does not know");
  return recipe;
}

std::string ImageRecipe::json() const {
  RecipeJson steps = RecipeJson::array();
  steps.push_back({{"step", "decode"}, {"max_pixels", max_pixels}, {"orientation", "exif"}, {"alpha", "white"}});
  steps.push_back({{"step", "channels"}, {"channels", channels}});
  if (gray_wanted) steps.back()["gray"] = true;
  RecipeJson size = {{"step", resize ? "resize" : "require"}, {"width", width}, {"height", height}};
  if (resize) size["mode"] = mode_name(mode);
  steps.push_back(size);
  return recipe_text("image", steps);
}

Prepared ImageRecipe::prepare(std::span<const uint8_t> raw) const {
  Image image = decode_image(raw, {max_pixels});
  const bool lost = loses_colour(*this, image);
  return {prepare(std::move(image)), lost};
}

std::vector<uint8_t> ImageRecipe::prepare(Image image) const {
  if (image.channels != channels) image = channels == 1 ? to_gray(image) : to_rgb(image);
  if (image.width != width || image.height != height) {
    if (!resize) fail(Exit::bad_inputs, "is {}x{}, expected {}x{}", image.width, image.height, width, height);
    image = resize_image(image, width, height, mode);
  }
  return std::move(image.pixels);
}

std::string ImageRecipe::differs(const Recipe& other) const {
  const auto* image = dynamic_cast<const ImageRecipe*>(&other);
  if (image == nullptr || !resize || !image->resize || mode == image->mode) return "";
  return "its images were resized in another way than the model's training data: prepare it with lepton-prep --recipe";
}

bool loses_colour(const ImageRecipe& recipe, const Image& image) {
  if (recipe.channels != 1 || recipe.gray_wanted || image.channels != 3) return false;
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    if (image.pixels[i] != image.pixels[i + 1] || image.pixels[i] != image.pixels[i + 2]) return true;
  }
  return false;
}

}  // namespace lepton
