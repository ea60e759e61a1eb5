#pragma once
// The preprocessing recipe: everything needed to turn a raw file into x, written by prep, obeyed by prep and infer.
#include <string>
#include <vector>

#include "base/shape.h"
#include "io/image.h"

namespace lepton {

// Version 1, kind "image": decode, orient, gray or RGB, then resize if one is given.
struct Recipe {
  std::string kind = "image";
  int64_t width = 0, height = 0, channels = 0;  // of every sample after the recipe
  bool resize = false;                          // false: an image of another size is an error
  ResizeMode mode = ResizeMode::fit;
  bool gray_wanted = false;  // of one channel because --gray asked for it, not because the images were gray
  int64_t max_pixels = 100'000'000;

  Shape sample_shape() const { return {height, width, channels}; }
  std::string json() const;                          // stable key order
  static Recipe from_json(const std::string& json);  // Error(mismatch) on unknown versions or steps
};

// Raw file bytes → x of one sample, u8 [H,W,C]. Throws Error(bad_inputs) with what is wrong ("is 28x30, expected
// 28x28").
std::vector<uint8_t> apply_recipe(const Recipe& recipe, std::span<const uint8_t> file);
// The same from pixels already decoded (IDX, CIFAR, raw arrays).
std::vector<uint8_t> apply_recipe(const Recipe& recipe, Image image);

// Whether the recipe takes colour from the image without having been asked to: it was made for images that had none.
bool loses_colour(const Recipe& recipe, const Image& image);

}  // namespace lepton
