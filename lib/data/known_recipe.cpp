#include "data/known_recipe.h"

#include "base/error.h"
#include "data/file_schema.h"
#include "data/model.h"
#include "data/recipe_json.h"

namespace lepton {
namespace {

class KnownFit : public RecipeFit {
 public:
  explicit KnownFit(const KnownRecipe& known) : known_(known) {}
  void see(const LabelledRecord& /*record*/) override {}
  std::unique_ptr<const Recipe> fit(RecipeParts& parts) override {
    parts = known_.parts;
    return read_recipe(known_.json, known_.parts);
  }

 private:
  const KnownRecipe& known_;
};

}  // namespace

KnownRecipe read_known_recipe(const std::string& path) {
  const H5Contents file = read_hdf5(path);
  const bool model = root_text(file, "format") == "lepton-model";
  check_format(file, model ? "lepton-model" : "lepton-dataset");
  if (model) check_model_content(file);
  KnownRecipe known;
  known.file = file.name;
  known.content_sha256 = root_text(file, "content_sha256");
  known.task = root_text(file, "task");
  known.classes = read_strings(file, "/meta/classes");
  known.mean = read_floats(file, "/meta/mean");
  known.std = read_floats(file, "/meta/std");
  known.target_mean = read_floats(file, "/meta/target_mean");
  known.target_std = read_floats(file, "/meta/target_std");
  known.parts = read_parts(file);
  known.recipe = read_recipe(read_text(file, "/meta/recipe"), known.parts);
  known.json = known.recipe->json();
  known.kind = RecipeJson::parse(known.json)["kind"].get<std::string>();
  if (known.classes.empty()) fail(Exit::mismatch, "{}: lacks /meta/classes", file.name);
  const Shape shape = known.recipe->sample_shape();
  const auto columns = static_cast<size_t>(shape[shape.rank() - 1]);
  const auto fits = [&](const std::vector<float>& values, size_t count) {
    return values.empty() || values.size() == count;
  };
  if (!fits(known.mean, columns) || !fits(known.std, columns) || !fits(known.target_mean, known.classes.size()) ||
      known.target_std.size() != known.target_mean.size()) {
    fail(Exit::mismatch, "{}: its statistics do not fit its recipe", file.name);
  }
  return known;
}

void KnownRecipe::set_statistics(DatasetMeta& meta) const {
  meta.mean = mean;
  meta.std = std;
  meta.target_mean = target_mean;
  meta.target_std = target_std;
}

std::unique_ptr<RecipeFit> known_fit(const KnownRecipe& known) { return std::make_unique<KnownFit>(known); }

void refuse_kind(const KnownRecipe& known, const std::string& input, const std::string& holds) {
  const char* wanted = known.kind == "image"   ? "images"
                       : known.kind == "audio" ? "recordings"
                       : known.kind == "text"  ? "texts"
                                               : "tables";
  fail(Exit::mismatch, "{}: holds {}; the recipe of {} is for {}", input, holds, known.file, wanted);
}

}  // namespace lepton
