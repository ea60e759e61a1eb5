#pragma once
// The preprocessing recipe: everything needed to turn raw input into x, written by prep, obeyed by prep and infer. One
// class for each kind of source.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/shape.h"
#include "data/dataset.h"

namespace lepton {

struct Prepared {
  std::vector<uint8_t> x;    // one sample as stored
  bool lost_colour = false;  // turned gray without having been asked to
  bool resampled = false;    // a recording of another rate than the recipe's
  bool cut = false;          // longer than a sample: its end was left out
};

// One input of a source of records: what its answer is named by, and the raw bytes that Recipe::prepare takes.
struct Record {
  std::string id, raw;
  std::vector<std::string> fields;  // of all columns as read, if RecordOptions::fields
  std::string problem;              // why it cannot be used; empty = fine
};
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  virtual bool next(Record& record) = 0;  // false at the end. Waits for input only where there is none yet.
  // Names of Record::fields, known once next() was called.
  virtual std::vector<std::string> columns() const { return {}; }
};

// What whoever reads records may ask for.
struct RecordOptions {
  std::string id;                                      // column that names a record; "" = FILE:LINE
  bool fields = false;                                 // fill Record::fields
  std::function<bool()> wanted = [] { return true; };  // asked while waiting for standard input; false: the end
  std::function<void(const std::string&)> detail = [](const std::string&) {};  // told how a file is understood
};

class Recipe {
 public:
  virtual ~Recipe() = default;
  virtual Shape sample_shape() const = 0;
  virtual ElementType type() const = 0;          // of x
  virtual int64_t tokens() const { return 0; }   // how many token ids there are, with padding; 0: x holds no tokens
  virtual bool is_bag() const { return false; }  // whether the order of tokens means nothing
  virtual std::string json() const = 0;          // stable key order
  // Raw bytes (a whole file, or one record) to x. Error(bad_inputs) says what is wrong ("is 28x30, expected 28x28").
  virtual Prepared prepare(std::span<const uint8_t> raw) const = 0;
  virtual bool of_records() const { return false; }  // false: a whole file is one input
  // Opens a file of records; "-" is standard input, read as it comes. nullptr unless of_records(). Error(mismatch)
  // where the file is not for this recipe, such as a column that is missing; next() may throw it too.
  virtual std::unique_ptr<RecordReader> records(const std::string& path, const RecordOptions& options) const {
    return (void)path, (void)options, nullptr;
  }
  // Mean and deviation of each column from train, before they are stored: a recipe may leave columns as they are (0,
  // 1).
  virtual void adjust(std::vector<float>& mean, std::vector<float>& std) const { (void)mean, (void)std; }
  // Why samples made by `other`, of the same shape, are not what this one makes; "" where they are.
  virtual std::string differs(const Recipe& other) const { return (void)other, ""; }
};

// From /meta/recipe and the binary parts beside it. Error(mismatch) on unknown kinds, versions or steps.
std::unique_ptr<const Recipe> read_recipe(const std::string& json, const RecipeParts& parts = {});
// Recipe::tokens() of a dataset, 0 where its samples are no tokens; and Recipe::is_bag().
int64_t tokens_of(const Dataset& data);
bool is_bag(const Dataset& data);

}  // namespace lepton
