#pragma once
// Image files to u8 [H,W,C]: decode, orient, gray or RGB, then resize if a size is given.
#include "data/recipe.h"
#include "data/recipe_json.h"
#include "io/image.h"

namespace lepton {

struct ImageRecipe : Recipe {
  int64_t width = 0, height = 0, channels = 0;  // of every sample after the recipe
  bool resize = false;                          // false: an image of another size is an error
  ResizeMode mode = ResizeMode::fit;
  bool gray_wanted = false;  // of one channel because --gray asked for it, not because the images were gray
  int64_t max_pixels = 100'000'000;

  static ImageRecipe from_steps(const RecipeJson& steps);  // Error(mismatch)
  Shape sample_shape() const override { return {height, width, channels}; }
  ElementType type() const override { return ElementType::u8; }
  std::string json() const override;
  Prepared prepare(std::span<const uint8_t> raw) const override;
  std::vector<uint8_t> prepare(Image image) const;  // pixels already decoded (IDX, CIFAR, raw arrays)
  std::string differs(const Recipe& other) const override;
};

// Whether the recipe takes colour from the image without having been asked to: it was made for images that had none.
bool loses_colour(const ImageRecipe& recipe, const Image& image);

}  // namespace lepton
