#include "data/prep_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "data/known_recipe.h"
#include "data/pipeline.h"
#include "data/prep_duplicates.h"
#include "data/prep_judge.h"
#include "data/prep_place.h"
#include "data/prep_sums.h"
#include "io/files.h"

namespace lepton {
namespace {

constexpr size_t kBlockRecords = 256;
constexpr size_t kBlockBytes = size_t{4} << 20;
constexpr const char* kOneClass = "all training records are of one class, '{}': at least two are needed";

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

struct Entry {
  LabelledRecord record;
  size_t row = 0;
  Digest digest{};
  std::vector<uint8_t> x;
  bool cut = false;
};

struct Block {
  std::vector<Entry> entries;
  size_t used = 0;
};

class Rows {
 public:
  Rows(LabelledRecords& records, RecipeFit& fit, const RowsSpec& spec, const PrepOptions& options,
       const PrepHooks& hooks)
      : records_(records), fit_(fit), spec_(spec), options_(options), hooks_(hooks) {}

  PrepResult run(const std::string& target) {
    {
      const AtomicFile probe(target);
    }  // an output that cannot be written shows before the long work
    scan();
    judge();
    settle_classes();
    assign_splits(scan_, options_, hooks_);
    judge_training();
    show_training();
    recipe_ = fit_.fit(meta_.parts);
    duplicates_ = find_duplicates(scan_.rows);
    DatasetWriter writer(target, recipe_->sample_shape(), recipe_->type(), std::ssize(spec_.target_names));
    encode(writer);
    judge();
    report_duplicates(duplicates_, scan_.rows, spec_.inputs, hooks_);
    finish(writer);
    return result_;
  }

 private:
  bool regression() const { return !spec_.target_names.empty(); }
  void judge() { judge_errors(scan_, options_, hooks_, fmt::format("no {} found", spec_.inputs).c_str()); }

  // Goes through all records, or those of `wanted`: `work` on any thread, `hand_on` in their order.
  void each(const char* what, const std::function<bool(size_t)>& wanted, const std::function<void(Entry&)>& work,
            const std::function<void(Entry&)>& hand_on) {
    records_.rewind();
    size_t next = 0;
    const int64_t total = scan_.rows.empty() ? -1 : std::ssize(scan_.rows);
    const auto fill = [&](Block& block) {
      block.used = 0;
      for (size_t bytes = 0; block.used < kBlockRecords && bytes < kBlockBytes;) {
        if (block.entries.size() == block.used) block.entries.emplace_back();
        Entry& entry = block.entries[block.used];
        entry.record = {};
        if (!records_.next(entry.record)) break;
        entry.row = next++;
        if (total >= 0 && next > static_cast<size_t>(total)) changed(entry.record.id);
        if (!wanted(entry.row)) continue;
        bytes += entry.record.raw.size();
        ++block.used;
      }
      return block.used > 0;
    };
    const auto each_of = [](Block& block, const std::function<void(Entry&)>& act) {
      for (size_t i = 0; i < block.used; ++i) act(block.entries[i]);
    };
    run_in_order<Block>(
        options_.threads, fill, [&](Block& block) { each_of(block, work); },
        [&](Block& block) {
          each_of(block, hand_on);
          hooks_.progress(what, static_cast<int64_t>(block.entries[block.used - 1].row) + 1, total);
        });
    if (total >= 0 && next < static_cast<size_t>(total)) changed(spec_.inputs);
  }

  [[noreturn]] static void changed(const std::string& what) {
    fail(Exit::failed, "{}: changed while read: run again once nothing writes there", what);
  }
  bool good(size_t row) const { return scan_.rows[row].state == RowState::good; }

  void scan() {
    bool keys = false;
    each(
        "reading", [](size_t) { return true; }, [](Entry& entry) { entry.digest = sha256(bytes_of(entry.record.raw)); },
        [&](Entry& entry) {
          const LabelledRecord& record = entry.record;
          Row row;
          row.digest = entry.digest;
          row.divided = !record.split;
          row.split = record.split.value_or(Split::train);
          if (!record.problem.empty()) {
            row.state = RowState::bad;
            scan_.errors.push_back({entry.row, {record.id, record.problem}});
          } else if (regression()) {
            const bool any = std::any_of(record.targets.begin(), record.targets.end(),
                                         [](float value) { return !std::isnan(value); });
            row.label = any ? 0 : -1;
          } else {
            row.label = class_of(record.label);
          }
          keys = keys || !record.key.empty();
          scan_.keys.push_back(salted_hash(options_.seed, bytes_of(record.key)));
          scan_.rows.push_back(row);
        });
    if (!keys) scan_.keys = {};
  }

  // A provisional number; -1 for no label.
  int32_t class_of(const std::string& label) {
    if (label.empty()) return -1;
    const auto& names = wanted_classes(options_);
    if (!names.empty() && std::find(names.begin(), names.end(), label) == names.end()) {
      const auto number = parse_int(label);
      if (number && *number >= 0 && *number < std::ssize(names)) return class_of(names[static_cast<size_t>(*number)]);
    }
    const auto [it, added] = numbers_.try_emplace(label, static_cast<int32_t>(scan_.classes.size()));
    if (added) scan_.classes.push_back(label);
    return it->second;
  }

  void settle_classes() {
    if (regression()) {
      scan_.classes = spec_.target_names;
      return;
    }
    const std::vector<std::string> found = std::move(scan_.classes);
    if (found.empty()) fail(Exit::no_input, "none of the {} has a label", spec_.inputs);
    scan_.classes = final_classes(found, options_);
    std::unordered_map<std::string, int32_t> places;
    for (const std::string& name : scan_.classes) places.emplace(name, static_cast<int32_t>(places.size()));
    std::vector<int32_t> order;
    order.reserve(found.size());
    for (const std::string& name : found) order.push_back(places.at(name));
    for (Row& row : scan_.rows) {
      if (row.label >= 0) row.label = order[static_cast<size_t>(row.label)];
    }
  }

  void judge_training() const {
    if (options_.known != nullptr) return;
    if (std::none_of(scan_.rows.begin(), scan_.rows.end(),
                     [](const Row& r) { return r.state == RowState::good && r.split == Split::train; })) {
      fail(Exit::no_input, "none of the {} is training data, from which the recipe is made: give some with --train",
           spec_.inputs);
    }
    if (!regression()) judge_classes(scan_, hooks_, kOneClass);
  }

  void show_training() {
    if (options_.known != nullptr) return;
    each(
        "fitting", [&](size_t row) { return good(row) && scan_.rows[row].split == Split::train; }, [](Entry&) {},
        [&](Entry& entry) { fit_.see(entry.record); });
  }

  void encode(DatasetWriter& writer) {
    const auto prepare_one = [&](Entry& entry) {
      if (sha256(bytes_of(entry.record.raw)) != scan_.rows[entry.row].digest) changed(entry.record.id);
      try {
        Prepared prepared = recipe_->prepare(bytes_of(entry.record.raw));
        entry.x = std::move(prepared.x);
        entry.cut = prepared.cut;
      } catch (const Error& error) {
        if (error.status() != Exit::bad_inputs) throw;
        entry.record.problem = error.what();
      }
    };
    each("encoding", [&](size_t row) { return good(row); }, prepare_one, [&](Entry& entry) { take(writer, entry); });
  }

  void take(DatasetWriter& writer, const Entry& entry) {
    Row& row = scan_.rows[entry.row];
    const LabelledRecord& record = entry.record;
    if (!record.problem.empty()) {
      row.state = RowState::bad;
      scan_.errors.push_back({entry.row, {record.id, record.problem}});
      return;
    }
    if (const auto named = duplicates_.ids.find(entry.row); named != duplicates_.ids.end()) named->second = record.id;
    if (row.split == Split::train && recipe_->type() == ElementType::f32) {
      values_.resize(entry.x.size() / sizeof(float));
      if (!values_.empty()) std::memcpy(values_.data(), entry.x.data(), entry.x.size());
      sums_.add(values_, columns());
    }
    if (regression()) {
      writer.append(row.split, entry.x, record.targets, record.id, row.digest);
      if (row.split == Split::train) add_targets(record.targets);
    } else {
      writer.append(row.split, entry.x, row.label, record.id, row.digest);
    }
    ++result_.in_split[static_cast<size_t>(row.split)];
    ++result_.samples;
    if (entry.cut) ++result_.cut;
  }

  // A target that a record lacks must not count as a number: each has sums of its own.
  void add_targets(const std::vector<float>& targets) {
    target_sums_.resize(targets.size());
    for (size_t t = 0; t < targets.size(); ++t) {
      if (!std::isnan(targets[t])) target_sums_[t].add(std::span(targets).subspan(t, 1), 1);
    }
  }

  int64_t columns() const {
    const Shape shape = recipe_->sample_shape();
    return shape[shape.rank() - 1];
  }

  void set_statistics() {
    if (options_.known != nullptr) return options_.known->set_statistics(meta_);
    if (recipe_->type() == ElementType::f32) {
      sums_.statistics(columns(), meta_.mean, meta_.std);
      recipe_->adjust(meta_.mean, meta_.std);
    }
    for (size_t t = 0; t < spec_.target_names.size(); ++t) {
      const bool any = t < target_sums_.size() && target_sums_[t].rows > 0;
      if (!any || target_sums_[t].squares[0] == 0) {
        fail(Exit::no_input, "'{}': all training {} have the same number, or none: there is nothing to learn",
             spec_.target_names[t], spec_.inputs);
      }
      target_sums_[t].statistics(1, meta_.target_mean, meta_.target_std);
    }
  }

  void finish(DatasetWriter& writer) {
    set_statistics();
    meta_.task = spec_.task;
    meta_.classes = scan_.classes;
    meta_.recipe = recipe_->json();
    meta_.provenance = provenance(options_, scan_, [&](nlohmann::ordered_json& json, const PrepOptions&) {
      for (const auto& [name, value] : spec_.options) json[name] = value;
    });
    meta_.errors = plain(scan_.errors);
    hooks_.report(meta_.errors);
    writer.finish(meta_);
    result_.errors = std::ssize(meta_.errors);
    result_.classes = meta_.classes;
    result_.targets = std::ssize(spec_.target_names);
    result_.what = fmt::format("{} of {} {}", spec_.inputs, with_commas(recipe_->sample_shape().elements()),
                               recipe_->type() == ElementType::i32 ? "tokens" : "values");
  }

  LabelledRecords& records_;
  RecipeFit& fit_;
  const RowsSpec& spec_;
  const PrepOptions& options_;
  const PrepHooks& hooks_;
  Scan scan_;
  std::unordered_map<std::string, int32_t> numbers_;  // class name -> provisional number
  std::unique_ptr<const Recipe> recipe_;
  Duplicates duplicates_;
  ColumnSums sums_;
  std::vector<ColumnSums> target_sums_;
  std::vector<float> values_;
  DatasetMeta meta_;
  PrepResult result_;
};

}  // namespace

PrepResult prepare_rows(LabelledRecords& records, RecipeFit& fit, const RowsSpec& spec, const std::string& target,
                        const PrepOptions& options, const PrepHooks& hooks) {
  return Rows(records, fit, spec, options, hooks).run(target);
}

}  // namespace lepton
