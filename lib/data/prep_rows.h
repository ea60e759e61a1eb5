#pragma once
// From labelled records (lines of text, rows of tables) to a dataset: divide, fit on the training records, encode,
// write.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/prep.h"
#include "data/recipe.h"

namespace lepton {

// One record on its way in.
struct LabelledRecord {
  std::string id;              // "FILE:LINE", or a key column; unique within the run
  std::string raw;             // what Recipe::prepare takes
  std::string label;           // class by name; "" = unlabelled
  std::vector<float> targets;  // regression instead of a label, NaN = none
  std::optional<Split> split;  // of its file, where that tells
  std::string key;             // records of equal key never part (--split-key); "" where none is used
  std::string problem;         // why it cannot be used, with line; empty = fine
};

// Records that can be gone through more than once, each time in the same order.
class LabelledRecords {
 public:
  virtual ~LabelledRecords() = default;
  virtual void rewind() = 0;
  virtual bool next(LabelledRecord& record) = 0;  // false at the end
};

// A recipe in the making: shown every training record once, in order, then asked for the recipe.
class RecipeFit {
 public:
  virtual ~RecipeFit() = default;
  virtual void see(const LabelledRecord& record) = 0;
  virtual std::unique_ptr<const Recipe> fit(RecipeParts& parts) = 0;
};

struct RowsSpec {
  std::string task;                                          // "text-classification", "table-regression", ...
  std::vector<std::string> target_names;                     // regression; empty = classes
  std::string inputs = "records";                            // what they are called in messages: "rows", "texts"
  std::vector<std::pair<std::string, std::string>> options;  // for the provenance: those that change the content
};

// Three passes: content hash, label and split of each record; the training records to `fit`; every record through the
// recipe into the dataset, with mean and deviation of each column (last axis) of f32 samples and of each target from
// train. Memory: a constant, what `fit` and the labels need, and some 60 bytes a record. Duplicates, splits, error
// limits and statistics as for images; without a label a record is kept as unlabelled. With --class-names a label that
// is a number, and none of these names, stands for one of them. Errors as prepare(); also no_input where there is no
// training record, or all training targets are equal.
PrepResult prepare_rows(LabelledRecords& records, RecipeFit& fit, const RowsSpec& spec, const std::string& target,
                        const PrepOptions& options, const PrepHooks& hooks);

}  // namespace lepton
