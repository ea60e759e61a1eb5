#include "data/prep.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "data/known_recipe.h"
#include "data/pipeline.h"
#include "data/prep_duplicates.h"
#include "data/prep_judge.h"
#include "data/prep_medium.h"
#include "data/prep_place.h"
#include "data/prep_scan.h"
#include "io/files.h"

namespace lepton {
namespace {

class Preparation {
 public:
  Preparation(const std::vector<std::unique_ptr<Source>>& sources, const PrepOptions& options, const PrepHooks& hooks)
      : sources_(sources), options_(options), hooks_(hooks) {}

  PrepResult run(const std::string& target) {
    probe(target);
    medium_ = medium_of(sources_, options_);
    if (run_in_one_pass(target)) return result_;
    scan_ = scan_sources(sources_, *medium_, options_, hooks_);
    judge_labels();
    if (any_good(scan_) && !errors_allowed(scan_, options_)) decode_for_errors();
    judge();
    assign_splits(scan_, options_, hooks_);
    judge_training();
    medium_->choose(scan_.rows, hooks_);
    duplicates_ = find_duplicates(scan_.rows);
    DatasetWriter writer(target, medium_->recipe().sample_shape(), medium_->recipe().type());
    decode_samples(&writer);
    judge();
    report_duplicates(duplicates_, scan_.rows, "files", hooks_);
    finish(writer);
    return result_;
  }

 private:
  // An output that cannot be written shows before the long work.
  static void probe(const std::string& target) { const AtomicFile file(target); }
  // Files that lie in no class folder; names are met again only in a second pass, so they are counted here.
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

  void judge() {
    const std::string nothing =
        fmt::format("no {0} found: expected {0} in class folders, such as CLASS/FILE", medium_->plural());
    judge_errors(scan_, options_, hooks_, nothing.c_str());
  }
  void judge_training() const {
    if (options_.known != nullptr) return;  // data to be measured on may be of any split and class
    const std::string one_class = fmt::format(
        "all training {} are of one class, '{{}}': at least two are needed, one folder each", medium_->plural());
    judge_classes(scan_, hooks_, one_class.c_str());
  }

  void decode(ItemBlock::Entry& entry) const {
    Item& item = entry.item;
    const Row& row = scan_.rows[entry.row];
    sources_[row.source]->load(item);
    if (!item.problem.empty()) return;
    if (sha256(item.bytes) != row.digest) {
      fail(Exit::failed, "{}: changed while it was read: run again once nothing writes there", item.id);
    }
    try {
      medium_->decode(entry);
    } catch (const Error& error) {
      if (error.status() != Exit::bad_inputs) throw;
      item.problem = error.what();
    }
  }

  // Loose files whose folders tell class and split are read, hashed, decoded and written in one go. False where that
  // cannot be, or something turns up (a colour image among gray ones, another size, a file that is no image): nothing
  // is kept then, and the two passes decide.
  bool run_in_one_pass(const std::string& target) {
    const std::optional<Places> places = places_from_names();
    if (!places || !recipe_from_first_file()) return false;
    try {
      DatasetWriter writer(target, medium_->recipe().sample_shape(), medium_->recipe().type());
      scan_.classes = places->classes;
      for (const auto& source : sources_) {
        for (const InputError& problem : source->problems) scan_.errors.push_back({kNoRow, problem});
      }
      read_and_write(writer, *places);
      judge();
      judge_training();
      duplicates_ = find_duplicates(scan_.rows);
      name_duplicates();
      report_duplicates(duplicates_, scan_.rows, "files", hooks_);
      finish(writer);
      return true;
    } catch (const Surprise&) {
      scan_ = {};
      medium_->forget();
      result_ = {};
      return false;
    }
  }

  // Every folder's class and split, if the names alone tell them all.
  std::optional<Places> places_from_names() const {
    if (!options_.labels.empty() || !options_.label_regex.empty()) return std::nullopt;
    if (!options_.split_key.empty() || options_.shares_given) return std::nullopt;
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

  bool recipe_from_first_file() {
    constexpr int kTried = 100;
    int tried = 0;
    for (const auto& source : sources_) {
      source->rewind();
      for (Item item; tried < kTried && source->next(item); ++tried) {
        try {
          source->load(item);
          if (!item.problem.empty()) continue;
          return medium_->choose_from(item);
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
    row.digest = sha256(item.bytes);
    try {
      medium_->decode_unseen(entry);
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
    medium_->choose_any();
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
    if (row.split == Split::train) medium_->add(entry);
    if (const auto named = duplicates_.ids.find(entry.row); named != duplicates_.ids.end()) {
      named->second = entry.item.id;
    }
    writer->append(row.split, entry.x, row.label, entry.item.id, row.digest);
    ++result_.in_split[static_cast<size_t>(row.split)];
    ++result_.samples;
    if (entry.lost_colour) ++result_.lost_colour;
  }

  void finish(DatasetWriter& writer) {
    DatasetMeta meta;
    meta.classes = scan_.classes;
    meta.task = medium_->task();
    options_.known != nullptr ? options_.known->set_statistics(meta) : medium_->set_statistics(meta);
    meta.recipe = medium_->recipe().json();
    meta.provenance =
        provenance(options_, scan_, [this](RecipeJson& json, const PrepOptions&) { medium_->record_options(json); });
    meta.errors = plain(scan_.errors);
    hooks_.report(meta.errors);
    writer.finish(meta);
    result_.errors = std::ssize(meta.errors);
    result_.classes = meta.classes;
    result_.what = fmt::format("{} {}", medium_->plural(), medium_->describe());
  }

  const std::vector<std::unique_ptr<Source>>& sources_;
  const PrepOptions& options_;
  const PrepHooks& hooks_;
  Scan scan_;
  std::unique_ptr<Medium> medium_;
  Duplicates duplicates_;
  PrepResult result_;
};

}  // namespace

PrepResult prepare(const std::vector<std::unique_ptr<Source>>& sources, const std::string& target,
                   const PrepOptions& options, const PrepHooks& hooks) {
  if (sources.size() > UINT16_MAX) fail(Exit::usage, "{} inputs are more than {}", sources.size(), UINT16_MAX);
  return Preparation(sources, options, hooks).run(target);
}

}  // namespace lepton
