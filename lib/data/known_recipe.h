#pragma once
// A recipe that exists already: new data is prepared as that of a model or a dataset was.
#include <memory>
#include <string>
#include <vector>

#include "data/prep_rows.h"

namespace lepton {

struct KnownRecipe {
  std::string file;            // where it stands, for messages
  std::string content_sha256;  // of that file: goes into the provenance
  std::string kind;            // "image", "audio", "text" or "table"
  std::string task;
  std::vector<std::string> classes;  // in their order; regression: names of targets
  std::vector<float> mean, std, target_mean, target_std;
  std::string json;
  RecipeParts parts;
  std::shared_ptr<const Recipe> recipe;

  bool regression() const { return !target_mean.empty(); }
  // The statistics that samples are normalised by, instead of those of the new data.
  void set_statistics(DatasetMeta& meta) const;
};

// Of a dataset or model file ("-" = standard input). Error(integrity) for a damaged file (of a dataset's samples
// nothing is read), Error(mismatch) for another kind of file or one without a recipe.
KnownRecipe read_known_recipe(const std::string& path);

// The recipe as the outcome of a fit that looks at nothing.
std::unique_ptr<RecipeFit> known_fit(const KnownRecipe& known);

// Error(mismatch): `input` holds data of another kind than the recipe is for.
[[noreturn]] void refuse_kind(const KnownRecipe& known, const std::string& input, const std::string& holds);

}  // namespace lepton
