#include "data/recipe_image.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace lepton {
namespace {

ImageRecipe read(const std::string& json) { return dynamic_cast<const ImageRecipe&>(*read_recipe(json)); }

ImageRecipe resizing(ResizeMode mode) {
  ImageRecipe recipe;
  recipe.width = 4;
  recipe.height = 6;
  recipe.channels = 3;
  recipe.resize = true;
  recipe.mode = mode;
  return recipe;
}

TEST(Recipe, RoundTripsThroughJson) {
  ImageRecipe plain = resizing(ResizeMode::fit);
  plain.resize = false;
  for (const ImageRecipe& recipe :
       {plain, resizing(ResizeMode::fit), resizing(ResizeMode::crop), resizing(ResizeMode::stretch)}) {
    const ImageRecipe again = read(recipe.json());
    EXPECT_EQ(again.json(), recipe.json());
    EXPECT_EQ(again.sample_shape(), (Shape{6, 4, 3}));
    EXPECT_EQ(again.resize, recipe.resize);
    EXPECT_EQ(again.mode, recipe.mode);
    EXPECT_EQ(again.max_pixels, recipe.max_pixels);
  }
}

TEST(Recipe, KnowsWhetherGrayWasWanted) {
  ImageRecipe gray = resizing(ResizeMode::fit);
  gray.channels = 1;
  const Image colour{1, 2, 3, {9, 9, 9, 9, 8, 9}}, colourless{1, 2, 3, {9, 9, 9, 8, 8, 8}};
  EXPECT_TRUE(loses_colour(gray, colour));
  EXPECT_FALSE(loses_colour(gray, colourless));
  EXPECT_FALSE(loses_colour(gray, {1, 2, 1, {9, 8}}));
  EXPECT_FALSE(loses_colour(resizing(ResizeMode::fit), colour));
  gray.gray_wanted = true;
  EXPECT_FALSE(loses_colour(gray, colour));
  EXPECT_NE(gray.json().find(R"({"step":"channels","channels":1,"gray":true})"), std::string::npos);
  EXPECT_TRUE(read(gray.json()).gray_wanted);
  gray.gray_wanted = false;
  EXPECT_FALSE(read(gray.json()).gray_wanted);
}

// Datasets and models carry this text: changing it makes equal content give other bytes.
TEST(Recipe, JsonIsStable) {
  EXPECT_EQ(resizing(ResizeMode::crop).json(),
            R"({"version":1,"kind":"image","steps":[)"
            R"({"step":"decode","max_pixels":100000000,"orientation":"exif","alpha":"white"},)"
            R"({"step":"channels","channels":3},)"
            R"({"step":"resize","width":4,"height":6,"mode":"crop"}]})");
}

TEST(Recipe, AnythingElseIsAMismatch) {
  const std::string good = resizing(ResizeMode::crop).json();
  const std::vector<std::pair<std::string, std::string>> edits = {
      {R"("version":1)", R"("version":2)"},
      {R"("version":1)", R"("version":"1")"},
      {R"("kind":"image")", R"("kind":"audio")"},
      {R"("kind":"image")", R"("kind":"image","extra":1)"},
      {R"("step":"decode")", R"("step":"blur")"},
      {R"("alpha":"white")", R"("alpha":"black")"},
      {R"("alpha":"white")", R"("alpha":"white","gamma":2)"},
      {R"("max_pixels":100000000)", R"("max_pixels":0)"},
      {R"("max_pixels":100000000)", R"("max_pixels":18446744073709551615)"},
      {R"("channels":3)", R"("channels":2)"},
      {R"("channels":3)", R"("channels":3,"gray":true)"},
      {R"("channels":3)", R"("channels":1,"gray":1)"},
      {R"("width":4)", R"("width":4.5)"},
      {R"("width":4)", R"("width":-4)"},
      {R"("width":4,)", ""},
      {R"("width":4,"height":6)", R"("width":65535,"height":65535)"},
      {R"("mode":"crop")", R"("mode":"seam")"},
      {R"("mode":"crop"})", R"("mode":"crop"},{"step":"invert"})"},
      {R"(}]})", R"(}]}x)"},
  };
  for (const auto& [from, to] : edits) {
    std::string json = good;
    const size_t at = json.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    json.replace(at, from.size(), to);
    try {
      (void)read(json);
      ADD_FAILURE() << json;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Exit::mismatch) << json;
    }
  }
  for (const std::string json : {"", "[]", "{", "null", "{\"version\":1}"}) EXPECT_THROW(read(json), Error);
}

TEST(Recipe, OtherSizesWithoutResizeAreErrors) {
  ImageRecipe recipe;
  recipe.width = recipe.height = 28;
  recipe.channels = 1;
  try {
    (void)recipe.prepare(Image{30, 28, 1, std::vector<uint8_t>(28 * 30)});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "is 28x30, expected 28x28");
    EXPECT_EQ(error.status(), Exit::bad_inputs);
  }
}

TEST(Recipe, ColourThenSize) {
  ImageRecipe recipe = resizing(ResizeMode::fit);
  recipe.width = recipe.height = 2;
  const Image gray{1, 2, 1, {50, 60}};
  EXPECT_EQ(recipe.prepare(gray), (std::vector<uint8_t>{50, 50, 50, 60, 60, 60, 0, 0, 0, 0, 0, 0}));
  const std::vector<uint8_t> file = encode_png(gray);
  EXPECT_EQ(recipe.prepare(std::span<const uint8_t>(file)).x, recipe.prepare(gray));
  recipe.channels = 1;
  EXPECT_EQ(recipe.prepare(to_rgb(gray)), (std::vector<uint8_t>{50, 60, 0, 0}));
}

}  // namespace
}  // namespace lepton
