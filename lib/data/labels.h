#pragma once
// Where a label comes from: the class folder, a number's name, or a list of labels. Never from a part of a path.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace lepton {

// What one folder of a source means for the samples directly in it.
struct Placement {
  std::string class_name;      // "" where the folder lies in no class folder
  std::optional<Split> split;  // of a train/val/test folder above
};

// Places the folders of one source ("train/cat", "cat/2021", ""). If every topmost folder is named for a split and
// holds folders, these are splits and the folders in them classes; otherwise the topmost folders are the classes.
// Folders that hold no image (`images` false) have no say. `wrapped`: one folder around everything else is looked
// through. Error(usage) where only some topmost folders could be splits, Error(no_input) where splits hold no classes.
std::vector<Placement> place_folders(const std::vector<std::string>& folders, const std::vector<bool>& images,
                                     bool wrapped, const std::string& source);
// The same without classes, for labels from a list: only splits are told.
std::vector<Placement> place_splits(const std::vector<std::string>& folders, const std::vector<bool>& images,
                                    bool wrapped);

// A list of labels: lines "id<TAB>label", fields escaped as in every TSV of ours. Held as text and one number a line.
class LabelList {
 public:
  // Error(usage) names the line that has no tab, an empty label, or another label for an id seen before.
  static LabelList read(const std::string& path);
  // The label's class, an index into classes(), or -1.
  int32_t find(std::string_view id);
  const std::vector<std::string>& classes() const { return classes_; }
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  int64_t unused() const;  // rows that find() never returned

 private:
  struct Row {
    uint64_t offset;
    uint32_t length;
    int32_t label;  // its complement once used
  };
  std::string_view id_of(const Row& row) const { return {text_.data() + row.offset, row.length}; }
  std::string text_;
  std::vector<Row> rows_;  // sorted by id
  std::vector<std::string> classes_;
};

// Sorted and without repetition; if all are whole numbers, by value ("2" before "10"), else byte by byte.
std::vector<std::string> sorted_classes(std::vector<std::string> names);

}  // namespace lepton
