#include "data/recipe_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "base/text.h"
#include "data/dates.h"

namespace lepton {
namespace {

constexpr int64_t kMaxValues = int64_t{1} << 20;
constexpr std::array<const char*, 4> kTypes = {"number", "category", "date", "ignored"};
constexpr size_t kShownBytes = 40;  // of a field, in a message

std::string shown(std::string_view text) {
  size_t length = std::min(text.size(), kShownBytes);
  while (length < text.size() && length > 0 && (static_cast<uint8_t>(text[length]) & 0xc0) == 0x80) --length;
  return "'" + std::string(text.substr(0, length)) + (length < text.size() ? "...'" : "'");
}

std::vector<std::string> strings(const RecipeJson& object, const char* key) {
  std::vector<std::string> list;
  if (!object.at(key).is_array()) refuse_recipe(fmt::format("'{}' is no list of texts", key));
  for (const RecipeJson& item : object.at(key)) {
    if (!item.is_string()) refuse_recipe(fmt::format("'{}' is no list of texts", key));
    list.push_back(item.get<std::string>());
  }
  return list;
}

bool flag(const RecipeJson& object, const char* key) {
  if (!object.at(key).is_boolean()) refuse_recipe(fmt::format("'{}' is neither true nor false", key));
  return object.at(key).get<bool>();
}

void require_keys(const RecipeJson& column, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!column.contains(key)) refuse_recipe(fmt::format("a column lacks '{}'", key));
  }
  if (column.size() != keys.size()) refuse_recipe("a column has settings this version does not know");
}

TableColumn column_of(const RecipeJson& json) {
  if (!json.is_object() || !json.contains("name") || !json["name"].is_string() || !json.contains("type") ||
      !json["type"].is_string()) {
    refuse_recipe("a column lacks name or type");
  }
  TableColumn column;
  column.name = json["name"].get<std::string>();
  const auto type = parse_column_type(json["type"].get<std::string>());
  if (!type) refuse_recipe("a column is of a type this version does not know");
  column.type = *type;
  if (*type == ColumnType::ignored) return require_keys(json, {"name", "type"}), column;
  if (*type == ColumnType::category) {
    require_keys(json, {"name", "type", "levels", "other", "missing"});
    column.levels = strings(json, "levels");
    column.other = flag(json, "other");
    if (!std::is_sorted(column.levels.begin(), column.levels.end()) ||
        std::adjacent_find(column.levels.begin(), column.levels.end()) != column.levels.end()) {
      refuse_recipe("the levels of a column are not sorted");
    }
  } else {
    if (*type == ColumnType::number) require_keys(json, {"name", "type", "median", "missing"});
    if (*type == ColumnType::date) {
      require_keys(json, {"name", "type", "median", "missing", "time"});
      column.time = flag(json, "time");
    }
    if (!json["median"].is_number()) refuse_recipe("'median' is no number");
    column.median = json["median"].get<float>();
    if (!std::isfinite(column.median)) refuse_recipe("'median' is no number");
  }
  column.missing = flag(json, "missing");
  return column;
}

RecipeJson json_of(const TableColumn& column) {
  RecipeJson json = {{"name", column.name}, {"type", column_type_name(column.type)}};
  if (column.type == ColumnType::ignored) return json;
  if (column.type == ColumnType::category) {
    json["levels"] = column.levels;
    json["other"] = column.other;
  } else {
    json["median"] = column.median;
  }
  json["missing"] = column.missing;
  if (column.type == ColumnType::date) json["time"] = column.time;
  return json;
}

void encode_date(const TableColumn& column, std::string_view text, std::span<float> x) {
  const auto date = parse_date(text);
  if (!date) {
    fail(Exit::bad_inputs, "column '{}' holds {}, which is no date such as 2021-07-02 or 2021-07-02T13:45", column.name,
         shown(text));
  }
  x[0] = static_cast<float>(date->year_fraction);
  size_t at = 1;
  for (const double part : {date->of_year, date->of_week, date->of_day}) {
    if (at == 5 && !column.time) break;
    x[at++] = static_cast<float>(std::cos(2 * std::numbers::pi * part));
    x[at++] = static_cast<float>(std::sin(2 * std::numbers::pi * part));
  }
}

void encode_level(const TableColumn& column, std::string_view text, std::span<float> x) {
  const auto it = std::lower_bound(column.levels.begin(), column.levels.end(), text);
  if (it != column.levels.end() && *it == text) {
    x[static_cast<size_t>(it - column.levels.begin())] = 1;
  } else if (column.other) {
    x[column.levels.size()] = 1;
  }
}

void encode(const TableColumn& column, std::string_view text, bool is_missing, std::span<float> x) {
  if (is_missing) {
    if (column.type != ColumnType::category) x[0] = column.median;
    if (column.missing) x.back() = 1;
    return;
  }
  if (column.type == ColumnType::category) return encode_level(column, text, x);
  if (column.type == ColumnType::date) return encode_date(column, text, x);
  const auto number = table_number(text);
  if (!number) fail(Exit::bad_inputs, "column '{}' holds {}, which is no number", column.name, shown(text));
  x[0] = *number;
}

int64_t width_of(const TableColumn& column) {
  switch (column.type) {
    case ColumnType::number:
      return 1 + column.missing;
    case ColumnType::category:
      return std::ssize(column.levels) + column.other + column.missing;
    case ColumnType::date:
      return 5 + 2 * column.time + column.missing;
    default:
      return 0;
  }
}

}  // namespace

std::optional<ColumnType> parse_column_type(std::string_view name) {
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (name == kTypes[i]) return static_cast<ColumnType>(i);
  }
  return std::nullopt;
}

const char* column_type_name(ColumnType type) { return kTypes[static_cast<size_t>(type)]; }

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? std::string_view{}
                                         : text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

bool means_missing(std::string_view text, const std::vector<std::string>& missing) {
  return text.empty() || std::find(missing.begin(), missing.end(), text) != missing.end();
}

std::optional<float> table_number(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  const auto value = parse_double(text);
  if (!value || !(std::abs(*value) <= static_cast<double>(std::numeric_limits<float>::max()))) return std::nullopt;
  return static_cast<float>(*value);
}

std::vector<std::string_view> table_fields(std::string_view raw, size_t columns) {
  std::vector<std::string_view> fields;
  fields.reserve(columns);
  for (;;) {
    const size_t end = raw.find(kFieldEnd);
    fields.push_back(raw.substr(0, end));
    if (end == std::string_view::npos) break;
    raw.remove_prefix(end + 1);
  }
  if (fields.size() != columns) fail(Exit::bug, "a row of {} fields, expected {}", fields.size(), columns);
  return fields;
}

void TableRecipe::place() {
  size_ = 0;
  for (TableColumn& column : columns) {
    column.first = size_;
    column.width = width_of(column);
    size_ += column.width;
    if (size_ > kMaxValues) {
      fail(Exit::usage, "the columns make more than {} values a row: leave some out with --column NAME=ignored",
           with_commas(kMaxValues));
    }
  }
}

TableRecipe TableRecipe::from_steps(const RecipeJson& steps) {
  TableRecipe recipe;
  const RecipeJson& step = step_at(steps, 0, "encode", {"missing", "columns"});
  if (steps.size() != 1) refuse_recipe("has steps this version does not know");
  recipe.missing = strings(step, "missing");
  if (!step["columns"].is_array()) refuse_recipe("'columns' is no list");
  for (const RecipeJson& column : step["columns"]) {
    recipe.columns.push_back(column_of(column));
    if (width_of(recipe.columns.back()) > kMaxValues) refuse_recipe("makes too many values a row");
  }
  try {
    recipe.place();
  } catch (const Error&) {
    refuse_recipe("makes too many values a row");
  }
  if (recipe.size_ == 0) refuse_recipe("uses no column");
  return recipe;
}

std::string TableRecipe::json() const {
  RecipeJson list = RecipeJson::array();
  for (const TableColumn& column : columns) list.push_back(json_of(column));
  RecipeJson steps = RecipeJson::array();
  steps.push_back({{"step", "encode"}, {"missing", missing}, {"columns", list}});
  return recipe_text("table", steps);
}

Prepared TableRecipe::prepare(std::span<const uint8_t> raw) const {
  const std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
  const std::vector<std::string_view> fields = table_fields(text, columns.size());
  std::vector<float> x(static_cast<size_t>(size_));
  for (size_t c = 0; c < columns.size(); ++c) {
    const TableColumn& column = columns[c];
    if (column.width == 0) continue;
    const std::string_view field = trimmed(fields[c]);
    encode(column, field, means_missing(field, missing),
           std::span(x).subspan(static_cast<size_t>(column.first), static_cast<size_t>(column.width)));
  }
  Prepared made;
  made.x.resize(x.size() * sizeof(float));
  if (!x.empty()) std::memcpy(made.x.data(), x.data(), made.x.size());
  return made;
}

std::string TableRecipe::differs(const Recipe& other) const {
  const auto* table = dynamic_cast<const TableRecipe*>(&other);
  if (table == nullptr || table->json() == json()) return "";
  std::string where;
  for (size_t c = 0; where.empty() && c < std::min(columns.size(), table->columns.size()); ++c) {
    if (json_of(columns[c]) != json_of(table->columns[c])) where = fmt::format(" (column '{}')", columns[c].name);
  }
  return "its columns were fitted to other rows than the model's" + where +
         ": prepare them with lepton-prep --recipe, or predict the CSV file itself";
}

// A category's values stay 0 and 1, and so do flags: divided by the deviation of a rare level, its 1 would be far out.
void TableRecipe::adjust(std::vector<float>& mean, std::vector<float>& std) const {
  for (const TableColumn& column : columns) {
    const int64_t end = column.first + column.width;
    const int64_t begin = column.type == ColumnType::category ? column.first : column.missing ? end - 1 : end;
    std::fill(mean.begin() + begin, mean.begin() + end, 0.0F);
    std::fill(std.begin() + begin, std.begin() + end, 1.0F);
  }
}

}  // namespace lepton
