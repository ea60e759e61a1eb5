#include "data/prep_scan.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "data/pipeline.h"
#include "data/prep_labels.h"
#include "data/prep_medium.h"
#include "data/prep_place.h"
#include "data/prep_regex.h"

namespace lepton {
namespace {

constexpr size_t kBlockItems = 64;
constexpr size_t kBlockBytes = size_t{8} << 20;

// Hash, kind and header of one input; runs on any thread.
void examine(const Source& source, const Medium& medium, ItemBlock::Entry& entry) {
  Item& item = entry.item;
  source.load(item);
  entry.scanned.state = RowState::bad;
  if (!item.problem.empty()) return;
  entry.scanned.digest = sha256(item.bytes);
  try {
    entry.scanned.state = medium.examine(entry);
  } catch (const Error& error) {
    if (error.status() != Exit::bad_inputs) throw;
    item.problem = error.what();
  }
}

// Gives a good row its label where labels are told, or makes it a bad one.
void label(ToldLabels& labels, ItemBlock::Entry& entry) {
  Row& row = entry.scanned;
  if (!labels.given() || row.state != RowState::good) return;
  row.label = labels.find(entry.item.id);
  if (row.label >= 0) return;
  row.state = RowState::bad;
  entry.item.problem = labels.why_none();
}

// Labels and splits of all rows, once every group is known.
void place_rows(Scan& scan, const std::vector<std::unique_ptr<Source>>& sources, const PrepOptions& options,
                const ToldLabels& labels) {
  std::vector<std::vector<bool>> images;
  images.reserve(sources.size());
  for (const auto& source : sources) images.emplace_back(source->groups().size(), false);
  for (const Row& row : scan.rows) {
    if (row.state != RowState::foreign) images[row.source][static_cast<size_t>(row.group)] = true;
  }
  const Places places = place_groups(sources, images, options, labels.classes());
  scan.classes = places.classes;
  const bool listed = labels.given();
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
    entry.lost_colour = false;
    entry.scanned.source = static_cast<uint16_t>(source_);
    entry.scanned.group = entry.item.group;
    bytes += entry.item.bytes.size();
    ++block.used;
  }
  return block.used > 0;
}

Scan scan_sources(const std::vector<std::unique_ptr<Source>>& sources, Medium& medium, const PrepOptions& options,
                  const PrepHooks& hooks) {
  Scan scan;
  const Regex key("--split-key", options.split_key);
  ToldLabels labels(options);
  int64_t total = 0, hidden = 0;
  for (const auto& source : sources) {
    hidden += source->hidden;
    total = total < 0 || source->count() < 0 ? -1 : total + source->count();
    if (source->kind() == GroupKind::none && !labels.given()) {
      fail(
          Exit::usage,
          "a list of files has no class folders: give their labels with --labels FILE (id<TAB>label) or --label-regex");
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
          examine(*sources[block.entries[i].scanned.source], medium, block.entries[i]);
        }
      },
      [&](ItemBlock& block) {
        for (size_t i = 0; i < block.used; ++i) {
          ItemBlock::Entry& entry = block.entries[i];
          const Row& row = entry.scanned;
          label(labels, entry);
          if (row.state == RowState::good) {
            medium.saw(entry);
          } else {
            scan.errors.push_back({entry.row, {entry.item.id, entry.item.problem}});
          }
          if (!key.empty()) {
            const std::string text = row.state == RowState::good ? key.require(entry.item.id) : "";
            scan.keys.push_back(
                salted_hash(options.seed, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
          }
          scan.rows.push_back(row);
        }
        hooks.progress("reading", std::ssize(scan.rows), total);
      });
  scan.first_row = filler.first_row();
  scan.first_row.resize(sources.size(), scan.rows.size());

  place_rows(scan, sources, options, labels);
  std::erase_if(scan.errors, [&](const RowError& error) {
    return error.row != kNoRow && scan.rows[error.row].state == RowState::ignored;
  });
  const auto ignored =
      std::count_if(scan.rows.begin(), scan.rows.end(), [](const Row& row) { return row.state == RowState::ignored; });
  if (ignored > 0) {
    hooks.note(fmt::format("{} files that are no {} lie outside class folders: left out", ignored, medium.plural()));
  }
  labels.warn_of_unused(hooks.warn);
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

}  // namespace lepton
