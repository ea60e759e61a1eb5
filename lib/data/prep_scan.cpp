#include "data/prep_scan.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "data/labels.h"
#include "data/pipeline.h"
#include "data/prep_place.h"
#include "data/split_key.h"

namespace lepton {
namespace {

constexpr size_t kBlockItems = 64;
constexpr size_t kBlockBytes = size_t{8} << 20;
constexpr size_t kMostSizes = 4096;

// Hash, kind and size of one input; runs on any thread.
void examine(const Source& source, const DecodeLimits& limits, ItemBlock::Entry& entry) {
  Item& item = entry.item;
  source.load(item);
  entry.scanned.state = RowState::bad;
  if (!item.problem.empty()) return;
  entry.scanned.digest = sha256(item.bytes);
  if (item.raw.rank() == 3) {
    entry.height = item.raw[0];
    entry.width = item.raw[1];
    entry.channels = item.raw[2];
    entry.scanned.state = RowState::good;
    return;
  }
  if (image_format(item.bytes) == ImageFormat::unknown) {
    item.problem = item.bytes.empty() ? "is empty" : "is neither a JPEG nor a PNG image";
    entry.scanned.state = RowState::foreign;
    return;
  }
  try {
    const Image header = decode_image_header(item.bytes, limits);
    entry.width = header.width;
    entry.height = header.height;
    entry.channels = header.channels;
    entry.scanned.state = RowState::good;
  } catch (const Error& error) {
    item.problem = error.what();
  }
}

// Labels and splits of all rows, once every group is known.
void place_rows(Scan& scan, const std::vector<std::unique_ptr<Source>>& sources, const PrepOptions& options,
                const std::vector<std::string>& list_classes) {
  std::vector<std::vector<bool>> images;
  images.reserve(sources.size());
  for (const auto& source : sources) images.emplace_back(source->groups().size(), false);
  for (const Row& row : scan.rows) {
    if (row.state != RowState::foreign) images[row.source][static_cast<size_t>(row.group)] = true;
  }
  const Places places = place_groups(sources, images, options, list_classes);
  scan.classes = places.classes;
  const bool listed = !options.labels.empty();
  for (Row& row : scan.rows) {
    const GroupPlace& place = places.groups[row.source][static_cast<size_t>(row.group)];
    if (!listed) row.label = place.label;
    if (listed && row.label >= 0) row.label = places.listed[static_cast<size_t>(row.label)];
    row.divided = !place.split;
    if (place.split) row.split = *place.split;
    if (row.state == RowState::foreign) row.state = listed || place.in_class ? RowState::bad : RowState::ignored;
  }
}

}  // namespace

BlockFiller::BlockFiller(const std::vector<std::unique_ptr<Source>>& sources, std::function<bool(size_t)> wanted)
    : sources_(sources), wanted_(std::move(wanted)) {}

bool BlockFiller::fill(ItemBlock& block) {
  block.used = 0;
  size_t bytes = 0;
  while (block.used < kBlockItems && bytes < kBlockBytes && source_ < sources_.size()) {
    if (first_row_.size() == source_) {
      first_row_.push_back(row_);
      sources_[source_]->rewind();
    }
    if (block.entries.size() == block.used) block.entries.emplace_back();
    ItemBlock::Entry& entry = block.entries[block.used];
    if (!sources_[source_]->next(entry.item)) {
      ++source_;
      continue;
    }
    entry.row = row_++;
    if (!wanted_(entry.row)) continue;
    entry.scanned = {};
    entry.scanned.source = static_cast<uint16_t>(source_);
    entry.scanned.group = entry.item.group;
    bytes += entry.item.bytes.size();
    ++block.used;
  }
  return block.used > 0;
}

Scan scan_sources(const std::vector<std::unique_ptr<Source>>& sources, const PrepOptions& options,
                  const PrepHooks& hooks) {
  Scan scan;
  const SplitKey key(options.split_key);
  std::optional<LabelList> labels;
  if (!options.labels.empty()) labels = LabelList::read(options.labels);
  int64_t total = 0, hidden = 0;
  for (const auto& source : sources) {
    hidden += source->hidden;
    total = total < 0 || source->count() < 0 ? -1 : total + source->count();
    if (source->kind() == GroupKind::none && !labels) {
      fail(Exit::usage, "a list of files has no class folders: give their labels with --labels FILE (id<TAB>label)");
    }
    for (const InputError& problem : source->problems) scan.errors.push_back({kNoRow, problem});
  }
  if (hidden > 0) hooks.detail(fmt::format("{} hidden names left out", with_commas(hidden)));
  if (total > 0) scan.rows.reserve(static_cast<size_t>(total));

  BlockFiller filler(sources, [](size_t) { return true; });
  run_in_order<ItemBlock>(
      options.threads, [&](ItemBlock& block) { return filler.fill(block); },
      [&](ItemBlock& block) {
        for (size_t i = 0; i < block.used; ++i) {
          examine(*sources[block.entries[i].scanned.source], {options.max_pixels}, block.entries[i]);
        }
      },
      [&](ItemBlock& block) {
        for (size_t i = 0; i < block.used; ++i) {
          ItemBlock::Entry& entry = block.entries[i];
          Row& row = entry.scanned;
          if (labels && row.state == RowState::good) row.label = labels->find(entry.item.id);
          if (labels && row.state == RowState::good && row.label < 0) {
            row.state = RowState::bad;
            entry.item.problem = "has no label in " + options.labels;
          }
          if (row.state == RowState::good) {
            (entry.channels == 1 ? scan.gray : scan.colour) = true;
            if (scan.sizes.size() < kMostSizes || scan.sizes.contains({entry.width, entry.height})) {
              ++scan.sizes[{entry.width, entry.height}];
            } else {
              scan.many_sizes = true;
            }
          } else {
            scan.errors.push_back({entry.row, {entry.item.id, entry.item.problem}});
          }
          if (!key.empty()) {
            const std::string text = row.state == RowState::good ? key(entry.item.id) : "";
            scan.keys.push_back(
                salted_hash(options.seed, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
          }
          scan.rows.push_back(row);
        }
        hooks.progress("reading", std::ssize(scan.rows), total);
      });
  scan.first_row = filler.first_row();
  scan.first_row.resize(sources.size(), scan.rows.size());

  place_rows(scan, sources, options, labels ? labels->classes() : std::vector<std::string>{});
  std::erase_if(scan.errors, [&](const RowError& error) {
    return error.row != kNoRow && scan.rows[error.row].state == RowState::ignored;
  });
  const auto ignored =
      std::count_if(scan.rows.begin(), scan.rows.end(), [](const Row& row) { return row.state == RowState::ignored; });
  if (ignored > 0) hooks.note(fmt::format("{} files that are no images lie outside class folders: left out", ignored));
  if (labels && labels->unused() > 0) {
    hooks.warn(fmt::format("{}: {} of {} rows name no input", options.labels, with_commas(labels->unused()),
                           with_commas(labels->size())));
  }
  return scan;
}

void assign_splits(Scan& scan, const PrepOptions& options, const PrepHooks& hooks) {
  std::vector<SplitSample> samples;
  std::vector<uint64_t> hashes;
  std::unordered_map<uint64_t, uint32_t> by_key, by_content;
  for (size_t r = 0; r < scan.rows.size(); ++r) {
    const Row& row = scan.rows[r];
    if (row.state != RowState::good || !row.divided) continue;
    samples.push_back({salted_hash(options.seed, row.digest), row.label, static_cast<uint32_t>(r)});
  }
  if (samples.empty()) {
    if (options.shares_given) hooks.warn("--split has no effect: every input brings its split");
    return;
  }
  if (!scan.keys.empty()) {
    for (const SplitSample& sample : samples) hashes.push_back(scan.keys[sample.row]);
    Grouping grouping(std::move(hashes));
    for (uint32_t i = 0; i < samples.size(); ++i) {
      grouping.join(by_key.try_emplace(scan.keys[samples[i].row], i).first->second, i);
      grouping.join(by_content.try_emplace(samples[i].group, i).first->second, i);
    }
    for (uint32_t i = 0; i < samples.size(); ++i) samples[i].group = grouping.group(i);
    hooks.detail(fmt::format("--split-key: {} groups", with_commas(std::ssize(by_key))));
  }
  const std::vector<Split> splits = divide(samples, options.shares);
  for (size_t i = 0; i < samples.size(); ++i) scan.rows[samples[i].row].split = splits[i];
  hooks.detail(fmt::format("{} samples divided {:g}/{:g}/{:g} within each class by content",
                           with_commas(std::ssize(samples)), options.shares.percent[0], options.shares.percent[1],
                           options.shares.percent[2]));
}

namespace {

// A usual square near the median of the shorter sides.
int64_t usual_side(const Scan& scan, int64_t images) {
  std::map<int64_t, int64_t> sides;
  for (const auto& [size, count] : scan.sizes) sides[std::min(size.first, size.second)] += count;
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

[[noreturn]] void refuse_sizes(const Scan& scan, const std::pair<int64_t, int64_t>& most, int64_t of_most) {
  int64_t images = 0;
  auto smallest = scan.sizes.begin()->first, largest = smallest;
  for (const auto& [size, count] : scan.sizes) {
    images += count;
    if (size.first * size.second < smallest.first * smallest.second) smallest = size;
    if (size.first * size.second > largest.first * largest.second) largest = size;
  }
  const std::string number = scan.many_sizes ? "thousands of" : std::to_string(scan.sizes.size());
  if (of_most * 2 > images) {
    fail(Exit::usage, "images come in {} sizes, {} of {} are {}x{}: choose with --size, such as --size {}x{}", number,
         with_commas(of_most), with_commas(images), most.first, most.second, most.first, most.second);
  }
  const int64_t side = usual_side(scan, images);
  fail(Exit::usage, "images come in {} sizes, from {}x{} to {}x{}: choose with --size, such as --size {}x{}", number,
       smallest.first, smallest.second, largest.first, largest.second, side, side);
}

}  // namespace

ImageRecipe choose_recipe(const Scan& scan, const PrepOptions& options) {
  ImageRecipe recipe;
  recipe.max_pixels = options.max_pixels;
  recipe.channels = scan.colour && !options.gray ? 3 : 1;
  recipe.gray_wanted = options.gray;
  recipe.mode = options.resize.value_or(ResizeMode::fit);
  recipe.width = options.width;
  recipe.height = options.height;
  recipe.resize = options.width > 0 || options.resize.has_value();
  if (options.width == 0) {
    const auto most = std::max_element(scan.sizes.begin(), scan.sizes.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (scan.sizes.size() > 1) refuse_sizes(scan, most->first, most->second);
    recipe.width = most->first.first;
    recipe.height = most->first.second;
  }
  return recipe;
}

}  // namespace lepton
