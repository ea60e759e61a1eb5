#pragma once
// Where samples come from, one input of the command line each: folders, lists, archives, IDX pairs, CIFAR batches.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/shape.h"
#include "data/dataset.h"
#include "io/archive.h"

namespace lepton {

// One sample on its way in. Its memory is used again for the next one.
struct Item {
  std::string id;              // relative to its input
  std::vector<uint8_t> bytes;  // of the file, or pixels [H,W,C] where `raw` has a shape
  Shape raw;                   // rank 0: a file to decode
  int32_t group = 0;           // into Source::groups()
  int64_t index = 0;           // position in its source
  std::string problem;         // why it cannot be used; empty = fine
};

// What a group of a source is: a folder that may stand for a class (and a split), or the class itself.
enum class GroupKind {
  folders,          // "cat", "train/cat"
  wrapped_folders,  // the same, perhaps all inside one more folder, as archives often are
  classes,          // names of classes, by number
  none              // nothing is known: labels come from a list
};

// A sequence of samples that can be gone through more than once, each time in the same order.
class Source {
 public:
  virtual ~Source() = default;
  virtual void rewind() = 0;
  // The next item, false at the end. Not thread-safe. Fills id, group, raw, index, and bytes unless load() does.
  virtual bool next(Item& item) = 0;
  // Fills item.bytes where next() left that open; may be called from any thread. Sets item.problem where it fails.
  virtual void load(Item& item) const { (void)item; }
  virtual int64_t count() const { return -1; }  // items, -1 where only reading shows
  virtual GroupKind kind() const = 0;
  virtual const std::vector<std::string>& groups() const = 0;  // complete once next() has returned false

  std::string name;                  // as the user gave it
  std::optional<Split> split;        // as told: --train/--val/--test, or an IDX or CIFAR file named so
  std::optional<Split> named;        // the split its name stands for, if folders inside say nothing else
  std::vector<InputError> problems;  // found while opening: folders that cannot be read and the like
  int64_t hidden = 0;                // names left out because they are hidden
  std::vector<std::string> files;    // read besides the items' own: for --depfile
  bool items_are_files = false;      // an item's id, below `root`, is a file: for --depfile
  std::string root;                  // "" or "folder/"
};

// An input as the command line gives it.
struct InputSpec {
  std::string path;  // "-" = standard input
  std::optional<Split> split;
};

struct SourceLimits {
  int64_t max_file_bytes = int64_t{1} << 28;
  int64_t max_members = 10'000'000;
};

// The split a name stands for: "train", "training", "val", "valid", "validation", "dev", "test", "testing", nothing
// else.
std::optional<Split> split_of_folder(std::string_view name);
// The split of a file named so: a part of its name between ".", "-" and "_" ("adult_train.csv", "t10k-images-...").
std::optional<Split> split_of_file(std::string_view path);

// Opens every input and says what it is by its content. IDX files are paired with their labels; class names replace
// numbers where given. Error(no_input) names what cannot be read or is of no known kind.
std::vector<std::unique_ptr<Source>> open_sources(const std::vector<InputSpec>& inputs, const SourceLimits& limits);
// Files by path, in the order of their names.
std::unique_ptr<Source> open_list(const std::vector<std::string>& paths, const SourceLimits& limits);

}  // namespace lepton
