#pragma once
// Rows of a CSV file to records of a table's recipe: its columns by name, in the recipe's order.
#include "data/recipe_table.h"
#include "io/csv.h"

namespace lepton {

// Where a column stands that is ignored.
constexpr size_t kNoPlace = ~size_t{0};

// A stream without a known file name is "-". Rows of another number of fields, and faulty ones, are records with a
// problem. Error(mismatch) where the header lacks a column of the recipe, or there is no header and the number of
// fields is another; Error(usage) where the column for ids is missing.
class TableReader : public RecordReader {
 public:
  TableReader(const TableRecipe& recipe, const std::string& path, const RecordOptions& options);
  bool next(Record& record) override;
  std::vector<std::string> columns() const override { return header_; }

 private:
  void begin();
  void choose_delimiter();
  void match_header(const std::vector<std::string>& header);
  void take_order(size_t fields);

  const TableRecipe& recipe_;
  std::string path_;
  RecordOptions options_;
  CsvReader csv_;
  CsvRow row_;
  std::vector<std::string> header_;
  std::vector<size_t> place_;  // of each column of the recipe among the fields; kNoPlace: ignored
  size_t id_ = kNoPlace;
  bool begun_ = false, waiting_ = false;  // waiting_: row_ is the first row of data, read to see whether it is a header
};

// The place of each column of a recipe among the names of a header; kNoPlace for those that are ignored.
// Error(mismatch) naming columns that are missing, or there twice.
std::vector<size_t> match_columns(const TableRecipe& recipe, const std::vector<std::string>& header,
                                  const std::string& path);
// How many columns of the recipe that are used these names hold.
size_t count_columns(const TableRecipe& recipe, const std::vector<std::string>& names);

// Names of a header: trimmed fields.
std::vector<std::string> header_names(const CsvRow& row);
// "'a', 'b' and 3 more".
std::string some_names(const std::vector<std::string>& names);

}  // namespace lepton
