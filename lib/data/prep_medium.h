#pragma once
// What prep does differently for each kind of file that is one sample: images, recordings.
#include <memory>
#include <string>
#include <vector>

#include "data/prep_scan.h"
#include "data/recipe_json.h"

namespace lepton {

// Something that needs the whole picture before the first sample can be written: the single pass is given up.
struct Surprise {};

class Medium {
 public:
  virtual ~Medium() = default;
  virtual const char* plural() const = 0;  // "images"
  virtual const char* task() const = 0;

  // The first pass. examine() runs on any thread: whether loaded bytes are of this kind (good, bad or foreign, with
  // item.problem) and what their header says. saw() follows for each good one, in order.
  virtual RowState examine(ItemBlock::Entry& entry) const = 0;
  virtual void saw(const ItemBlock::Entry& entry) = 0;
  // The recipe, from what was seen and asked for. Error(usage) where that does not settle it.
  virtual void choose(const std::vector<Row>& rows, const PrepHooks& hooks) = 0;
  virtual void choose_any() = 0;  // one that decodes everything, to find faults
  virtual const Recipe& recipe() const = 0;

  // A sample and its sums; any thread. Error(bad_inputs).
  virtual void decode(ItemBlock::Entry& entry) const = 0;
  // Takes a training sample's sums, in order.
  virtual void add(const ItemBlock::Entry& entry) = 0;
  virtual void set_statistics(DatasetMeta& meta) const = 0;
  virtual std::string describe() const = 0;                 // of all samples: "32x32 gray"
  virtual void record_options(RecipeJson& json) const = 0;  // for the provenance: what was asked for

  // A single pass over files, whose recipe the first that can be read settles. decode_unseen() throws Surprise for a
  // file that does not fit it.
  virtual bool choose_from(const Item& first) { return (void)first, false; }
  virtual void decode_unseen(ItemBlock::Entry& entry) const { (void)entry; }
  virtual void forget() {}  // sums, before the two passes
};

std::unique_ptr<Medium> image_medium(const PrepOptions& options);
std::unique_ptr<Medium> audio_medium(const PrepOptions& options);
// "image" or "audio", by the first input of a known kind; "" where there is none.
std::string kind_of_files(const std::vector<std::unique_ptr<Source>>& sources);
// By options.known, options.type or the first input of a known kind, else images. Error(mismatch) for inputs of another
// kind than the known recipe's.
std::unique_ptr<Medium> medium_of(const std::vector<std::unique_ptr<Source>>& sources, const PrepOptions& options);

}  // namespace lepton
