#pragma once
// Texts to i32 [L] token ids: decode, normalise, cut into tokens, cut or pad to length L.
#include "data/recipe.h"
#include "data/tokenizer.h"
#include "io/unicode.h"

namespace lepton {

// How texts are found in files; the same in training and after it.
struct TextReading {
  bool documents = false;       // a whole file is one text; else a line, a row or an object is
  std::string column = "text";  // of CSV, of TSV with a header, and of JSON objects
  std::string encoding = "UTF-8";
  int64_t max_bytes = 1 << 20;  // of one text; a longer one is an error
};

struct TextRecipe : Recipe {
  TextReading reading;
  TextForm form;
  std::shared_ptr<const Tokenizer> tokenizer;
  int64_t length = 0;  // L

  static TextRecipe from_steps(const RecipeJson& steps, const RecipeParts& parts);  // Error(mismatch)
  Shape sample_shape() const override { return {length}; }
  ElementType type() const override { return ElementType::i32; }
  int64_t tokens() const override { return tokenizer->tokens(); }
  bool is_bag() const override { return tokenizer->is_bag(); }
  std::string json() const override;
  // A document as its file holds it, or the UTF-8 text of a record.
  Prepared prepare(std::span<const uint8_t> raw) const override;
  bool of_records() const override { return !reading.documents; }
  std::unique_ptr<RecordReader> records(const std::string& path, const RecordOptions& options) const override;
  std::string differs(const Recipe& other) const override;
};

// Error(bad_inputs) for a text of so many bytes, if they are too many.
void check_length(size_t bytes, const TextReading& reading);
// The normalised text of a document or record. Error(bad_inputs): too long, not of its encoding, nothing but space.
std::string text_of(std::span<const uint8_t> raw, const TextReading& reading, const TextForm& form);

}  // namespace lepton
