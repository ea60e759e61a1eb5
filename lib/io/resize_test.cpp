#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "io/image.h"

namespace lepton {
namespace {

Image ramp(int64_t height, int64_t width, int64_t channels) {
  Image image{height, width, channels, std::vector<uint8_t>(static_cast<size_t>(height * width * channels))};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * i * 31 + i * 7);
  return image;
}

// Computed by hand from the triangle filter: halving weighs four neighbours 1/8 3/8 3/8 1/8, edges renormalised.
TEST(Resize, HalvesWithATriangleOfTwiceTheWidth) {
  const Image row{1, 8, 1, {0, 0, 0, 80, 80, 80, 160, 160}};
  const Image half = resize_image(row, 4, 1, ResizeMode::stretch);
  EXPECT_EQ(half.pixels, (std::vector<uint8_t>{0, 40, 90, 149}));
}

TEST(Resize, DoublingInterpolates) {
  const Image row{1, 2, 1, {0, 100}};
  EXPECT_EQ(resize_image(row, 4, 1, ResizeMode::stretch).pixels, (std::vector<uint8_t>{0, 25, 75, 100}));
  const Image column{2, 1, 1, {0, 100}};
  EXPECT_EQ(resize_image(column, 1, 4, ResizeMode::stretch).pixels, (std::vector<uint8_t>{0, 25, 75, 100}));
}

TEST(Resize, SameSizeChangesNothing) {
  const Image image = ramp(5, 6, 3);
  for (const ResizeMode mode : {ResizeMode::fit, ResizeMode::crop, ResizeMode::stretch}) {
    EXPECT_EQ(resize_image(image, 6, 5, mode).pixels, image.pixels);
  }
}

TEST(Resize, ConstantStaysConstantAtAnySize) {
  const Image white{17, 13, 3, std::vector<uint8_t>(17 * 13 * 3, 255)};
  for (const int64_t size : {1, 2, 7, 13, 40}) {
    const Image result = resize_image(white, size, 2 * size, ResizeMode::crop);
    EXPECT_EQ(result.pixels, std::vector<uint8_t>(static_cast<size_t>(6 * size * size), 255)) << size;
  }
}

TEST(Resize, FitPadsWithBlackAndCentres) {
  const Image white{2, 4, 1, std::vector<uint8_t>(8, 255)};
  const Image result = resize_image(white, 4, 4, ResizeMode::fit);
  EXPECT_EQ(result.pixels, (std::vector<uint8_t>{0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0}));
  const Image line{1, 1000, 1, std::vector<uint8_t>(1000, 255)};  // one pixel is left of the height
  const Image thin = resize_image(line, 8, 8, ResizeMode::fit);
  EXPECT_EQ(std::accumulate(thin.pixels.begin(), thin.pixels.end(), 0), 8 * 255);
}

TEST(Resize, CropCutsTheCentre) {
  const Image row{1, 6, 1, {9, 9, 100, 200, 7, 7}};
  EXPECT_EQ(resize_image(row, 2, 1, ResizeMode::crop).pixels, (std::vector<uint8_t>{100, 200}));
}

TEST(Resize, RefusesSizesThatAreNotPositive) {
  EXPECT_THROW(resize_image(ramp(2, 2, 1), 0, 2, ResizeMode::fit), Error);
}

}  // namespace
}  // namespace lepton
