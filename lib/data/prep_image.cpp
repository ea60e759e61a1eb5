// Images as prep takes them.
#include <algorithm>
#include <array>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "data/known_recipe.h"
#include "data/prep_medium.h"
#include "data/prep_sums.h"
#include "data/recipe_image.h"

namespace lepton {
namespace {

constexpr size_t kMostSizes = 4096;

using Size = std::pair<int64_t, int64_t>;  // width, height

class ImageMedium : public Medium {
 public:
  explicit ImageMedium(const PrepOptions& options)
      : options_(options),
        known_(options.known != nullptr ? dynamic_cast<const ImageRecipe*>(options.known->recipe.get()) : nullptr) {}

  const char* plural() const override { return "images"; }
  const char* task() const override { return "image-classification"; }
  const Recipe& recipe() const override { return recipe_; }

  RowState examine(ItemBlock::Entry& entry) const override {
    Item& item = entry.item;
    if (item.raw.rank() == 3) {
      entry.height = item.raw[0];
      entry.width = item.raw[1];
      entry.channels = item.raw[2];
      return RowState::good;
    }
    if (image_format(item.bytes) == ImageFormat::unknown) {
      item.problem = item.bytes.empty() ? "is empty" : "is neither a JPEG nor a PNG image";
      return RowState::foreign;
    }
    const Image header = decode_image_header(item.bytes, {max_pixels()});
    entry.width = header.width;
    entry.height = header.height;
    entry.channels = header.channels;
    return RowState::good;
  }

  void saw(const ItemBlock::Entry& entry) override {
    (entry.channels == 1 ? gray_ : colour_) = true;
    if (sizes_.size() < kMostSizes || sizes_.contains({entry.width, entry.height})) {
      ++sizes_[{entry.width, entry.height}];
    } else {
      many_sizes_ = true;
    }
  }

  void choose(const std::vector<Row>& /*rows*/, const PrepHooks& /*hooks*/) override { choose_recipe(); }

  void choose_any() override {
    recipe_ = {};
    recipe_.width = recipe_.height = recipe_.channels = 1;
    recipe_.resize = true;
    recipe_.max_pixels = max_pixels();
  }

  void decode(ItemBlock::Entry& entry) const override {
    const Item& item = entry.item;
    prepare(entry, item.raw.rank() == 3 ? Image{item.raw[0], item.raw[1], item.raw[2], item.bytes}
                                        : decode_image(item.bytes, {recipe_.max_pixels}));
    entry.sums = sum_channels(entry.x, recipe_.channels);
  }

  void add(const ItemBlock::Entry& entry) override { sums_.add(entry.sums); }
  void set_statistics(DatasetMeta& meta) const override { lepton::set_statistics(meta, sums_, recipe_.channels); }
  std::string describe() const override {
    return fmt::format("{}x{} {}", recipe_.width, recipe_.height, recipe_.channels == 1 ? "gray" : "RGB");
  }

  void record_options(RecipeJson& json) const override {
    if (options_.width > 0) json["size"] = fmt::format("{}x{}", options_.width, options_.height);
    if (options_.resize) {
      constexpr std::array<const char*, 3> kModes = {"fit", "crop", "stretch"};
      json["resize"] = kModes[static_cast<size_t>(*options_.resize)];
    }
    if (options_.gray) json["gray"] = true;
  }

  bool choose_from(const Item& first) override {
    const Image header = decode_image_header(first.bytes, {max_pixels()});
    sizes_ = {{{header.width, header.height}, 1}};
    gray_ = header.channels == 1;
    colour_ = !gray_;
    choose_recipe();
    return true;
  }

  void decode_unseen(ItemBlock::Entry& entry) const override {
    if (image_format(entry.item.bytes) == ImageFormat::unknown) throw Surprise{};
    Image image = decode_image(entry.item.bytes, {recipe_.max_pixels});
    if (known_ == nullptr) {
      if (image.channels > recipe_.channels && !options_.gray) throw Surprise{};
      const bool same_size = image.width == recipe_.width && image.height == recipe_.height;
      if (!same_size && options_.width == 0) throw Surprise{};
    }
    prepare(entry, std::move(image));
    entry.sums = sum_channels(entry.x, recipe_.channels);
  }

  void forget() override {
    sizes_.clear();
    gray_ = colour_ = false;
    sums_ = {};
  }

 private:
  int64_t max_pixels() const { return known_ != nullptr ? known_->max_pixels : options_.max_pixels; }

  void prepare(ItemBlock::Entry& entry, Image image) const {
    entry.lost_colour = loses_colour(recipe_, image);
    entry.x = recipe_.prepare(std::move(image));
  }

  void choose_recipe() {
    if (known_ != nullptr) {
      recipe_ = *known_;
      return;
    }
    recipe_ = {};
    recipe_.max_pixels = options_.max_pixels;
    recipe_.channels = colour_ && !options_.gray ? 3 : 1;
    recipe_.gray_wanted = options_.gray;
    recipe_.mode = options_.resize.value_or(ResizeMode::fit);
    recipe_.width = options_.width;
    recipe_.height = options_.height;
    recipe_.resize = options_.width > 0 || options_.resize.has_value();
    if (options_.width > 0) return;
    const auto most = std::max_element(sizes_.begin(), sizes_.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (sizes_.size() > 1) refuse_sizes(most->first, most->second);
    recipe_.width = most->first.first;
    recipe_.height = most->first.second;
  }

  // A usual square near the median of the shorter sides.
  int64_t usual_side(int64_t images) const {
    std::map<int64_t, int64_t> sides;
    for (const auto& [size, count] : sizes_) sides[std::min(size.first, size.second)] += count;
    int64_t median = 0, below = 0;
    for (const auto& [side, count] : sides) {
      median = side;
      below += count;
      if (below * 2 >= images) break;
    }
    constexpr std::array<int64_t, 10> kUsual = {16, 24, 32, 48, 64, 96, 128, 160, 192, 224};
    return *std::min_element(kUsual.begin(), kUsual.end(),
                             [median](int64_t a, int64_t b) { return std::abs(a - median) < std::abs(b - median); });
  }

  [[noreturn]] void refuse_sizes(const Size& most, int64_t of_most) const {
    int64_t images = 0;
    Size smallest = sizes_.begin()->first, largest = smallest;
    for (const auto& [size, count] : sizes_) {
      images += count;
      if (size.first * size.second < smallest.first * smallest.second) smallest = size;
      if (size.first * size.second > largest.first * largest.second) largest = size;
    }
    const std::string number = many_sizes_ ? "thousands of" : std::to_string(sizes_.size());
    if (of_most * 2 > images) {
      fail(Exit::usage, "images come in {} sizes, {} of {} are {}x{}: choose with --size, such as --size {}x{}", number,
           with_commas(of_most), with_commas(images), most.first, most.second, most.first, most.second);
    }
    const int64_t side = usual_side(images);
    fail(Exit::usage, "images come in {} sizes, from {}x{} to {}x{}: choose with --size, such as --size {}x{}", number,
         smallest.first, smallest.second, largest.first, largest.second, side, side);
  }

  const PrepOptions& options_;
  const ImageRecipe* known_;       // of a model or dataset; nullptr: chosen here
  std::map<Size, int64_t> sizes_;  // -> images
  bool gray_ = false, colour_ = false;
  bool many_sizes_ = false;  // more kinds of sizes than sizes_ holds
  ImageRecipe recipe_;
  ChannelSums sums_;
};

}  // namespace

std::unique_ptr<Medium> image_medium(const PrepOptions& options) { return std::make_unique<ImageMedium>(options); }

}  // namespace lepton
