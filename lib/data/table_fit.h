#pragma once
// A table's recipe from its training rows: types of columns, medians, levels.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/prep_rows.h"
#include "data/recipe_table.h"

namespace lepton {

struct TableFitOptions {
  std::vector<std::string> missing;         // as TableRecipe::missing
  std::map<std::string, ColumnType> types;  // of columns that are told, not inferred
  int64_t max_levels = 256;                 // of a category
};

// A column is of numbers, or of dates, if at least 99 of 100 values are (the others are refused as bad rows), else of
// categories. Levels are those seen twice or more, the most frequent max_levels of them; the others share one value if
// there are any. A column that is always missing, always the same, or whose values are nearly all different texts is
// ignored, and so is one without a name; `note` is told. Medians and levels of long tables come from a bounded sample:
// the median from 2^22 / columns rows or more, spread evenly.
class TableFit : public RecipeFit {
 public:
  TableFit(const std::vector<std::string>& columns, TableFitOptions options,
           std::function<void(const std::string&)> note);
  ~TableFit() override;
  void see(const LabelledRecord& record) override;
  std::unique_ptr<const Recipe> fit(RecipeParts& parts) override;  // Error(no_input) where no column is of use

 private:
  struct Seen;
  TableColumn decide(const std::string& name, Seen& seen) const;
  void fit_levels(TableColumn& column, Seen& seen) const;

  std::vector<std::string> names_;
  TableFitOptions options_;
  std::function<void(const std::string&)> note_;
  std::vector<Seen> columns_;
  size_t most_sampled_, most_levels_;
};

}  // namespace lepton
