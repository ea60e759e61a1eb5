#pragma once
// Tables as labelled records: CSV and TSV files with a label column, for lepton-prep.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/prep_rows.h"
#include "data/source.h"
#include "data/table_reader.h"
#include "io/csv.h"

namespace lepton {

enum class HeaderRow { find, yes, no };

struct TableSourceOptions {
  std::string label;                  // column; "" = label, target or class in any case, else the last
  std::string id;                     // column of names of rows; "" = FILE:LINE
  std::string split_key;              // column whose equal values never part; "" = none
  std::vector<std::string> missing;   // texts that mean no value, besides none at all
  std::optional<bool> regression;     // told; else by the labels
  std::vector<std::string> left_out;  // columns whose content is not to be looked at
  HeaderRow header = HeaderRow::find;
  std::string target;                   // label of this name is taken before the usual ones
  const TableRecipe* recipe = nullptr;  // known: columns are its own, in its order
};

// Whether a file's beginning looks like a table: a header line, two columns or more.
bool looks_like_table(std::string_view head, bool whole);

class TableSource : public LabelledRecords {
 public:
  // Opens all files and reads their labels. Files after the first are matched to its columns by name. Error(no_input),
  // Error(usage) for a column that is not there, Error(mismatch) for a file that lacks one of the first's columns, or
  // of the recipe's.
  TableSource(const std::vector<InputSpec>& inputs, const TableSourceOptions& options, const PrepHooks& hooks);
  void rewind() override;
  bool next(LabelledRecord& record) override;

  const std::vector<std::string>& columns() const { return columns_; }  // without label, id and split key
  const std::string& label() const { return label_; }
  bool regression() const { return regression_; }

 private:
  struct File {
    std::string name;  // as ids have it
    std::string path;
    FileDescriptor fd;
    std::optional<Split> split;
    char delimiter = ',';
    bool header = false;
    std::vector<std::string> names;  // of its columns
    std::vector<size_t> place;       // of each of columns_ among them; kNoPlace: left out
    size_t label = 0, id = kNoPlace, key = kNoPlace;
  };
  void open(const InputSpec& input);
  void settle_columns();
  std::string choose_label(const std::vector<std::string>& names) const;
  void match(File& file);
  void read_labels(const PrepHooks& hooks);
  void fill(LabelledRecord& record, const File& file);

  TableSourceOptions options_;
  std::vector<File> files_;
  std::vector<std::string> columns_;
  std::string label_;
  bool label_guessed_ = false, regression_ = false;
  size_t file_ = 0;
  std::unique_ptr<CsvReader> csv_;
  CsvRow row_;
};

}  // namespace lepton
