#pragma once
// Rows of a table to f32 [D]: numbers as they are, categories one-hot, dates as numbers, missing values filled.
#include <optional>
#include <string_view>

#include "data/recipe.h"
#include "data/recipe_json.h"

namespace lepton {

enum class ColumnType { number, category, date, ignored };
std::optional<ColumnType> parse_column_type(std::string_view name);
const char* column_type_name(ColumnType type);

struct TableColumn {
  std::string name;
  ColumnType type = ColumnType::ignored;
  // number, date: what stands for a missing value (of a date, its year with the part gone); its cycles are then 0
  float median = 0;
  std::vector<std::string> levels;  // category, sorted: a value for each
  bool other = false;               // category: one more value, for levels not listed (rare ones or never seen)
  bool missing = false;             // one more value, 1 where none is given; without it a category is then all 0
  bool time = false;                // date: with the hour
  int64_t first = 0, width = 0;     // where its values stand in a sample; set by TableRecipe::place()
};

// Values of a column, in this order. number: itself. category: a 1 among its levels, `other`. date: year with the part
// gone, cosine and sine of the part of the year, of the week and, with `time`, of the day. Each: `missing`.
struct TableRecipe : Recipe {
  std::vector<std::string> missing;  // texts that mean no value, besides none at all
  std::vector<TableColumn> columns;  // in the order of the training file, without label, id and split key

  static TableRecipe from_steps(const RecipeJson& steps);  // Error(mismatch)
  void place();  // sets first and width of all columns; Error(usage) above 2^20 values
  Shape sample_shape() const override { return {size_}; }
  ElementType type() const override { return ElementType::f32; }
  std::string json() const override;
  bool of_records() const override { return true; }
  // The fields of all columns, trimmed or not, parted by NUL. Error(bad_inputs) names the column.
  Prepared prepare(std::span<const uint8_t> raw) const override;
  std::unique_ptr<RecordReader> records(const std::string& path, const RecordOptions& options) const override;
  std::string differs(const Recipe& other) const override;
  void adjust(std::vector<float>& mean, std::vector<float>& std) const override;

 private:
  int64_t size_ = 0;
};

// What prepare() takes.
constexpr char kFieldEnd = '\0';
// The parts of it, `columns` of them; Error(bug) for another number.
std::vector<std::string_view> table_fields(std::string_view raw, size_t columns);
std::string_view trimmed(std::string_view text);  // without white space around it
bool means_missing(std::string_view trimmed_text, const std::vector<std::string>& missing);
// A finite number that f32 can hold.
std::optional<float> table_number(std::string_view trimmed_text);

}  // namespace lepton
