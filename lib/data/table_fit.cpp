#include "data/table_fit.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "data/dates.h"

namespace lepton {
namespace {

constexpr size_t kSamples = size_t{1} << 22;  // numbers kept for medians, in all columns together
constexpr size_t kLevels = size_t{1} << 20;   // texts counted, likewise
constexpr size_t kLeastOfColumn = 256;        // of either, however many columns there are
constexpr size_t kMostOfColumn = 65536;

struct Hash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using Counts = std::unordered_map<std::string, int64_t, Hash, std::equal_to<>>;

// Every so many-th value, so that what is kept is spread over all.
class Sample {
 public:
  void add(float value, size_t most) {
    if (seen_++ % step_ != 0) return;
    if (values_.size() == most) {
      for (size_t i = 0; 2 * i < values_.size(); ++i) values_[i] = values_[2 * i];
      values_.resize((values_.size() + 1) / 2);
      step_ *= 2;
      if ((seen_ - 1) % step_ != 0) return;
    }
    values_.push_back(value);
  }
  // The middle value, or the mean of the two.
  float median() {
    if (values_.empty()) return 0;
    const auto middle = values_.begin() + std::ssize(values_) / 2;
    std::nth_element(values_.begin(), middle, values_.end());
    if (values_.size() % 2 == 1) return *middle;
    return *middle / 2 + *std::max_element(values_.begin(), middle) / 2;
  }

 private:
  std::vector<float> values_;
  size_t seen_ = 0, step_ = 1;
};

}  // namespace

struct TableFit::Seen {
  int64_t values = 0, missing = 0, numbers = 0, dates = 0;
  bool varies = false, time = false;
  std::string first;
  Counts levels;
  int64_t dropped = 0;  // levels no longer counted since there were too many
  Sample number_sample, date_sample;

  void count(std::string_view text, size_t most) {
    if (const auto it = levels.find(text); it != levels.end()) {
      ++it->second;
    } else if (levels.size() < most) {
      levels.emplace(text, 1);
    } else {  // rare ones make room: what is frequent comes back
      dropped += static_cast<int64_t>(std::erase_if(levels, [](const auto& level) { return level.second == 1; }));
      if (levels.size() < most) levels.emplace(text, 1);
    }
  }
};

TableFit::TableFit(const std::vector<std::string>& columns, TableFitOptions options,
                   std::function<void(const std::string&)> note)
    : names_(columns), options_(std::move(options)), note_(std::move(note)), columns_(columns.size()) {
  const auto share = [&](size_t all) {
    return std::clamp(all / std::max<size_t>(1, columns.size()), kLeastOfColumn, kMostOfColumn);
  };
  most_sampled_ = share(kSamples);
  most_levels_ = std::max(share(kLevels), static_cast<size_t>(options_.max_levels));
  for (const auto& [name, type] : options_.types) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
    const std::string near = nearest(name, names_);
    fail(Exit::usage, "--column {}={}: there is no such column{}", name, column_type_name(type),
         near.empty() ? "" : "; did you mean '" + near + "'?");
  }
}

TableFit::~TableFit() = default;

void TableFit::see(const LabelledRecord& record) {
  const std::vector<std::string_view> fields = table_fields(record.raw, names_.size());
  for (size_t c = 0; c < fields.size(); ++c) {
    Seen& seen = columns_[c];
    const std::string_view text = trimmed(fields[c]);
    if (means_missing(text, options_.missing)) {
      ++seen.missing;
      continue;
    }
    if (seen.values++ == 0) seen.first = text;
    if (!seen.varies && text != seen.first) seen.varies = true;
    if (const auto number = table_number(text)) {
      ++seen.numbers;
      seen.number_sample.add(*number, most_sampled_);
    } else if (const auto date = parse_date(text)) {
      ++seen.dates;
      seen.time = seen.time || date->has_time;
      seen.date_sample.add(static_cast<float>(date->year_fraction), most_sampled_);
    }
    seen.count(text, most_levels_);
  }
}

TableColumn TableFit::decide(const std::string& name, Seen& seen) const {
  TableColumn column;
  column.name = name;
  column.missing = seen.missing > 0;
  const auto told = options_.types.find(name);
  if (told != options_.types.end()) {
    column.type = told->second;
  } else if (name.empty()) {
    note_("a column without a name is ignored: it may number the rows");
  } else if (seen.values == 0) {
    note_(fmt::format("column '{}' is empty in all training rows: ignored", name));
  } else if (!seen.varies && !column.missing) {
    note_(fmt::format("column '{}' is the same in all training rows: ignored", name));
  } else {
    const auto nearly_all = [&](int64_t count) { return count * 100 >= seen.values * 99; };
    column.type = nearly_all(seen.numbers) ? ColumnType::number
                  : nearly_all(seen.dates) ? ColumnType::date
                                           : ColumnType::category;
  }
  if (column.type == ColumnType::number) column.median = seen.number_sample.median();
  if (column.type == ColumnType::date) {
    column.median = seen.date_sample.median();
    column.time = seen.time;
  }
  if (column.type == ColumnType::category) fit_levels(column, seen);
  if (column.type == ColumnType::ignored) column.missing = false;
  seen = {};
  return column;
}

void TableFit::fit_levels(TableColumn& column, Seen& seen) const {
  std::vector<std::pair<std::string, int64_t>> levels(seen.levels.begin(), seen.levels.end());
  std::sort(levels.begin(), levels.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  int64_t kept = 0;
  for (const auto& [level, count] : levels) {
    if (count < 2 || std::ssize(column.levels) == options_.max_levels) break;
    column.levels.push_back(level);
    kept += count;
  }
  std::sort(column.levels.begin(), column.levels.end());
  column.other = column.levels.size() < levels.size() || seen.dropped > 0;
  const bool told = options_.types.contains(column.name);
  if (told || 2 * kept >= seen.values) return;
  note_(
      fmt::format("column '{}' holds {}{} different texts in {} training rows: ignored (--column '{}=category' keeps "
                  "the {} that are not rare)",
                  column.name, seen.dropped > 0 ? "more than " : "", with_commas(std::ssize(levels)),
                  with_commas(seen.values), column.name, column.levels.size()));
  column.type = ColumnType::ignored;
  column.levels.clear();
  column.other = false;
}

std::unique_ptr<const Recipe> TableFit::fit(RecipeParts& parts) {
  (void)parts;
  auto recipe = std::make_unique<TableRecipe>();
  recipe->missing = options_.missing;
  for (size_t c = 0; c < names_.size(); ++c) recipe->columns.push_back(decide(names_[c], columns_[c]));
  recipe->place();
  if (recipe->sample_shape().elements() == 0) fail(Exit::no_input, "no column is of use: all are ignored");
  return recipe;
}

}  // namespace lepton
