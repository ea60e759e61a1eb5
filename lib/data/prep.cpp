#include "data/prep.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "data/pipeline.h"
#include "data/prep_duplicates.h"
#include "data/prep_judge.h"
#include "data/prep_place.h"
#include "data/prep_scan.h"
#include "data/prep_sums.h"
#include "io/files.h"

namespace lepton {
namespace {

void add_image_options(nlohmann::ordered_json& json, const PrepOptions& options) {
  if (options.width > 0) json["size"] = fmt::format("{}x{}", options.width, options.height);
  if (options.resize) {
    constexpr std::array<const char*, 3> kModes = {"fit", "crop", "stretch"};
    json["resize"] = kModes[static_cast<size_t>(*options.resize)];
  }
  if (options.gray) json["gray"] = true;
}

constexpr const char* kOneClass =
    "all training images are of one class, '{}': at least two are needed, one folder each";

class Preparation {
 public:
  Preparation(const std::vector<std::unique_ptr<Source>>& sources, const PrepOptions& options, const PrepHooks& hooks)
      : sources_(sources), options_(options), hooks_(hooks) {}

  PrepResult run(const std::string& target) {
    probe(target);
    if (run_in_one_pass(target)) return result_;
    scan_ = scan_sources(sources_, options_, hooks_);
    judge_labels();
    if (any_good(scan_) && !errors_allowed(scan_, options_)) decode_for_errors();
    judge();
    assign_splits(scan_, options_, hooks_);
    judge_classes(scan_, hooks_, kOneClass);
    recipe_ = choose_recipe(scan_, options_);
    duplicates_ = find_duplicates(scan_.rows);
    DatasetWriter writer(target, recipe_.sample_shape(), ElementType::u8);
    decode_samples(&writer);
    judge();
    report_duplicates(duplicates_, scan_.rows, "files", hooks_);
    finish(writer);
    return result_;
  }

 private:
  // An output that cannot be written shows before the long work.
  static void probe(const std::string& target) { const AtomicFile file(target); }
  // Images that lie in no class folder; names are met again only in a second pass, so they are counted here.
  void judge_labels() {
    if (std::none_of(scan_.rows.begin(), scan_.rows.end(),
                     [](const Row& row) { return row.state == RowState::good && row.label < 0; })) {
      return;
    }
    BlockFiller filler(
        sources_, [&](size_t row) { return scan_.rows[row].state == RowState::good && scan_.rows[row].label < 0; });
    for (ItemBlock block; filler.fill(block);) {
      for (size_t i = 0; i < block.used; ++i) {
        scan_.rows[block.entries[i].row].state = RowState::bad;
        scan_.errors.push_back({block.entries[i].row, {block.entries[i].item.id, "lies in no class folder"}});
      }
    }
  }

  void judge() { judge_errors(scan_, options_, hooks_, "no images found: expected CLASS/IMAGE below a folder"); }

  void decode(ItemBlock::Entry& entry) const {
    Item& item = entry.item;
    const Row& row = scan_.rows[entry.row];
    sources_[row.source]->load(item);
    if (!item.problem.empty()) return;
    if (sha256(item.bytes) != row.digest) {
      fail(Exit::failed, "{}: changed while it was read: run again once nothing writes there", item.id);
    }
    try {
      if (item.raw.rank() == 3) {
        entry.x = recipe_.prepare(Image{item.raw[0], item.raw[1], item.raw[2], item.bytes});
      } else {
        entry.x = recipe_.prepare(item.bytes).x;
      }
    } catch (const Error& error) {
      if (error.status() != Exit::bad_inputs) throw;
      item.problem = error.what();
    }
    entry.sums = sum_channels(entry.x, recipe_.channels);
  }

  // Something that needs the whole picture before the first sample can be written.
  struct Surprise {};

  // Loose files whose folders tell class and split are read, hashed, decoded and written in one go. False where that
  // cannot be, or something turns up (a colour image among gray ones, another size, a file that is no image): nothing
  // is kept then, and the two passes decide.
  bool run_in_one_pass(const std::string& target) {
    const std::optional<Places> places = places_from_names();
    if (!places || !recipe_from_first_image()) return false;
    try {
      DatasetWriter writer(target, recipe_.sample_shape(), ElementType::u8);
      scan_.classes = places->classes;
      for (const auto& source : sources_) {
        for (const InputError& problem : source->problems) scan_.errors.push_back({kNoRow, problem});
      }
      read_and_write(writer, *places);
      judge();
      judge_classes(scan_, hooks_, kOneClass);
      duplicates_ = find_duplicates(scan_.rows);
      name_duplicates();
      report_duplicates(duplicates_, scan_.rows, "files", hooks_);
      finish(writer);
      return true;
    } catch (const Surprise&) {
      scan_ = {};
      sums_ = {};
      result_ = {};
      return false;
    }
  }

  // Every folder's class and split, if the names alone tell them all.
  std::optional<Places> places_from_names() const {
    if (!options_.labels.empty() || !options_.split_key.empty() || options_.shares_given) return std::nullopt;
    std::vector<std::vector<bool>> images;
    for (const auto& source : sources_) {
      if (!source->items_are_files || source->kind() != GroupKind::folders) return std::nullopt;
      std::vector<bool> used(source->groups().size(), false);
      source->rewind();
      for (Item item; source->next(item);) used[static_cast<size_t>(item.group)] = true;
      images.push_back(std::move(used));
    }
    std::optional<Places> places;
    try {
      places = place_groups(sources_, images, options_, {});
    } catch (const Error&) {
      return std::nullopt;  // perhaps because of folders without images, which only reading shows
    }
    for (size_t s = 0; s < images.size(); ++s) {
      for (size_t group = 0; group < images[s].size(); ++group) {
        const GroupPlace& place = places->groups[s][group];
        if (images[s][group] && (place.label < 0 || !place.split)) return std::nullopt;
      }
    }
    return places;
  }

  bool recipe_from_first_image() {
    constexpr int kTried = 100;
    int tried = 0;
    for (const auto& source : sources_) {
      source->rewind();
      for (Item item; tried < kTried && source->next(item); ++tried) {
        try {
          source->load(item);
          if (!item.problem.empty()) continue;
          const Image first = decode_image_header(item.bytes, {options_.max_pixels});
          Scan seen;
          seen.sizes[{first.width, first.height}] = 1;
          (first.channels == 1 ? seen.gray : seen.colour) = true;
          recipe_ = choose_recipe(seen, options_);
          return true;
        } catch (const Error& error) {
          if (error.status() != Exit::bad_inputs) throw;
        }
      }
    }
    return false;
  }

  // Reads, hashes and decodes one file; runs on any thread.
  void decode_unscanned(ItemBlock::Entry& entry, const Places& places) const {
    Item& item = entry.item;
    Row& row = entry.scanned;
    const GroupPlace& place = places.groups[row.source][static_cast<size_t>(row.group)];
    row.label = place.label;
    row.split = *place.split;
    sources_[row.source]->load(item);
    if (!item.problem.empty()) return;
    if (image_format(item.bytes) == ImageFormat::unknown) throw Surprise{};
    row.digest = sha256(item.bytes);
    try {
      Image image = decode_image(item.bytes, {recipe_.max_pixels});
      if (image.channels > recipe_.channels && !options_.gray) throw Surprise{};
      const bool same_size = image.width == recipe_.width && image.height == recipe_.height;
      if (!same_size && options_.width == 0) throw Surprise{};
      entry.x = recipe_.prepare(std::move(image));
      entry.sums = sum_channels(entry.x, recipe_.channels);
    } catch (const Error& error) {
      if (error.status() != Exit::bad_inputs) throw;
      item.problem = error.what();
    }
  }

  void read_and_write(DatasetWriter& writer, const Places& places) {
    int64_t total = 0;
    for (const auto& source : sources_) total += source->count();
    scan_.rows.reserve(static_cast<size_t>(total));
    BlockFiller filler(sources_, [](size_t) { return true; });
    run_in_order<ItemBlock>(
        options_.threads, [&](ItemBlock& block) { return filler.fill(block); },
        [&](ItemBlock& block) {
          for (size_t i = 0; i < block.used; ++i) decode_unscanned(block.entries[i], places);
        },
        [&](ItemBlock& block) {
          for (size_t i = 0; i < block.used; ++i) {
            scan_.rows.push_back(block.entries[i].scanned);
            take(&writer, block.entries[i]);
          }
          hooks_.progress("decoding", std::ssize(scan_.rows), total);
        });
  }

  void name_duplicates() {
    if (duplicates_.ids.empty()) return;
    BlockFiller filler(sources_, [&](size_t row) { return duplicates_.ids.contains(row); });
    for (ItemBlock block; filler.fill(block);) {
      for (size_t i = 0; i < block.used; ++i) duplicates_.ids[block.entries[i].row] = block.entries[i].item.id;
    }
  }

  // No dataset will come of this, but every bad input is to be named, also those whose fault only decoding shows.
  void decode_for_errors() {
    recipe_ = {};
    recipe_.width = recipe_.height = recipe_.channels = 1;
    recipe_.resize = true;
    recipe_.max_pixels = options_.max_pixels;
    decode_samples(nullptr);
  }

  void decode_samples(DatasetWriter* writer) {
    BlockFiller filler(sources_, [&](size_t row) {
      if (row >= scan_.rows.size()) fail(Exit::failed, "files appeared while they were read: run again");
      return scan_.rows[row].state == RowState::good;
    });
    const int64_t total = std::ssize(scan_.rows);
    run_in_order<ItemBlock>(
        options_.threads, [&](ItemBlock& block) { return filler.fill(block); },
        [&](ItemBlock& block) {
          for (size_t i = 0; i < block.used; ++i) decode(block.entries[i]);
        },
        [&](ItemBlock& block) {
          for (size_t i = 0; i < block.used; ++i) take(writer, block.entries[i]);
          if (block.used > 0)
            hooks_.progress("decoding", static_cast<int64_t>(block.entries[block.used - 1].row) + 1, total);
        });
  }

  // One decoded item: counted, summed and, with a writer, written.
  void take(DatasetWriter* writer, ItemBlock::Entry& entry) {
    Row& row = scan_.rows[entry.row];
    if (!entry.item.problem.empty()) {
      row.state = RowState::bad;
      scan_.errors.push_back({entry.row, {entry.item.id, entry.item.problem}});
      return;
    }
    if (writer == nullptr) return;
    if (row.split == Split::train) sums_.add(entry.sums);
    if (const auto named = duplicates_.ids.find(entry.row); named != duplicates_.ids.end()) {
      named->second = entry.item.id;
    }
    writer->append(row.split, entry.x, row.label, entry.item.id, row.digest);
    ++result_.in_split[static_cast<size_t>(row.split)];
    ++result_.samples;
  }

  void finish(DatasetWriter& writer) {
    DatasetMeta meta;
    meta.classes = scan_.classes;
    set_statistics(meta, sums_, recipe_.channels);
    meta.recipe = recipe_.json();
    meta.provenance = provenance(options_, scan_, add_image_options);
    meta.errors = plain(scan_.errors);
    hooks_.report(meta.errors);
    writer.finish(meta);
    result_.errors = std::ssize(meta.errors);
    result_.classes = meta.classes;
    result_.sample = recipe_.sample_shape();
    result_.what =
        fmt::format("images {}x{} {}", recipe_.width, recipe_.height, recipe_.channels == 1 ? "gray" : "RGB");
  }

  const std::vector<std::unique_ptr<Source>>& sources_;
  const PrepOptions& options_;
  const PrepHooks& hooks_;
  Scan scan_;
  ImageRecipe recipe_;
  Duplicates duplicates_;
  ChannelSums sums_;
  PrepResult result_;
};

}  // namespace

PrepResult prepare(const std::vector<std::unique_ptr<Source>>& sources, const std::string& target,
                   const PrepOptions& options, const PrepHooks& hooks) {
  if (sources.size() > UINT16_MAX) fail(Exit::usage, "{} inputs are more than {}", sources.size(), UINT16_MAX);
  return Preparation(sources, options, hooks).run(target);
}

}  // namespace lepton
