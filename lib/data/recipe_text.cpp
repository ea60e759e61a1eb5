#include "data/recipe_text.h"

#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "data/recipe_json.h"
#include "data/text_records.h"

namespace lepton {
namespace {

constexpr int64_t kMaxLength = 1 << 20, kMaxTextBytes = 1 << 30;

bool truth(const RecipeJson& step, const char* key) {
  if (!step.at(key).is_boolean()) refuse_recipe(fmt::format("'{}' is neither true nor false", key));
  return step.at(key).get<bool>();
}

std::string string_of(const RecipeJson& step, const char* key) {
  if (!step.at(key).is_string()) refuse_recipe(fmt::format("'{}' is not a text", key));
  return step.at(key).get<std::string>();
}

// Rows of a file as records for lepton-infer.
class TextRecords : public RecordReader {
 public:
  TextRecords(const std::string& path, const TextReading& reading, const RecordOptions& options)
      : path_(path),
        named_(!options.id.empty()),
        fields_(options.fields),
        rows_(path, reading, {"", options.id, named_}, options.wanted) {}
  bool next(Record& record) override {
    TextRow row;
    if (!rows_.next(row)) return false;
    record = {};
    record.id = named_ && !row.key.empty() ? std::move(row.key) : fmt::format("{}:{}", path_, row.line);
    record.raw = std::move(row.text);
    if (fields_) record.fields = std::move(row.fields);
    record.problem = std::move(row.problem);
    return true;
  }
  std::vector<std::string> columns() const override { return rows_.names(); }

 private:
  std::string path_;
  bool named_, fields_;
  TextRows rows_;
};

}  // namespace

void check_length(size_t bytes, const TextReading& reading) {
  if (static_cast<int64_t>(bytes) <= reading.max_bytes) return;
  fail(Exit::bad_inputs, "is {} bytes, more than the limit of {} for a text", with_commas(static_cast<int64_t>(bytes)),
       with_commas(reading.max_bytes));
}

std::string text_of(std::span<const uint8_t> raw, const TextReading& reading, const TextForm& form) {
  check_length(raw.size(), reading);
  const std::string_view bytes(reinterpret_cast<const char*>(raw.data()), raw.size());
  std::string text;
  if (reading.documents) {
    text = normalise(Recoder(reading.encoding, false)(bytes), form);
  } else {
    check_utf8(bytes);
    text = normalise(bytes, form);
  }
  if (text.empty()) fail(Exit::bad_inputs, "holds no text");
  return text;
}

TextRecipe TextRecipe::from_steps(const RecipeJson& steps, const RecipeParts& parts) {
  TextRecipe recipe;
  const RecipeJson& read = step_at(steps, 0, "read", {"unit", "column", "encoding", "max_bytes"});
  recipe.reading.documents = read["unit"] == "file";
  if (!recipe.reading.documents) require_text(read, "unit", "record");
  recipe.reading.column = string_of(read, "column");
  recipe.reading.encoding = string_of(read, "encoding");
  recipe.reading.max_bytes = integer(read, "max_bytes", 1, kMaxTextBytes);
  const RecipeJson& form = step_at(steps, 1, "normalise", {"nfkc", "fold"});
  recipe.form = {truth(form, "nfkc"), truth(form, "fold")};
  recipe.tokenizer = read_tokenizer(steps, 2, parts);
  recipe.length = integer(step_at(steps, 3, "length", {"length"}), "length", 1, kMaxLength);
  if (steps.size() != 4) refuse_recipe("has steps this version does not know");
  return recipe;
}

std::string TextRecipe::json() const {
  RecipeJson steps = RecipeJson::array();
  steps.push_back({{"step", "read"},
                   {"unit", reading.documents ? "file" : "record"},
                   {"column", reading.column},
                   {"encoding", reading.encoding},
                   {"max_bytes", reading.max_bytes}});
  steps.push_back({{"step", "normalise"}, {"nfkc", form.nfkc}, {"fold", form.fold}});
  steps.push_back(tokenizer->step());
  steps.push_back({{"step", "length"}, {"length", length}});
  return recipe_text("text", steps);
}

Prepared TextRecipe::prepare(std::span<const uint8_t> raw) const {
  std::vector<int32_t> ids;
  tokenizer->encode(text_of(raw, reading, form), ids);
  Prepared prepared;
  prepared.cut = std::ssize(ids) > length;
  ids.resize(static_cast<size_t>(length));
  prepared.x.resize(ids.size() * sizeof(int32_t));
  std::memcpy(prepared.x.data(), ids.data(), prepared.x.size());
  return prepared;
}

std::unique_ptr<RecordReader> TextRecipe::records(const std::string& path, const RecordOptions& options) const {
  if (reading.documents) return nullptr;
  return std::make_unique<TextRecords>(path, reading, options);
}

std::string TextRecipe::differs(const Recipe& other) const {
  const auto* text = dynamic_cast<const TextRecipe*>(&other);
  if (text == nullptr) return "";
  RecipeParts mine, others;
  tokenizer->add_parts(mine);
  text->tokenizer->add_parts(others);
  const bool same = tokenizer->step() == text->tokenizer->step() && mine == others && form.nfkc == text->form.nfkc &&
                    form.fold == text->form.fold;
  return same ? ""
              : "its texts were cut into other tokens than the model's training data: give the model its lines, or "
                "prepare them with lepton-prep --recipe";
}

}  // namespace lepton
