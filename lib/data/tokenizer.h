#pragma once
// Text to token ids. Id 0 is padding everywhere; ids of what training knew begin after it.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "data/recipe_json.h"

namespace lepton {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual int64_t tokens() const = 0;  // ids are below this
  virtual bool is_bag() const { return false; }
  // The ids of a normalised text (io/unicode.h), appended in the order of the text. Thread-safe.
  virtual void encode(std::string_view text, std::vector<int32_t>& ids) const = 0;
  virtual RecipeJson step() const = 0;  // {"step":"tokens","kind":...}, all but what the parts hold
  virtual void add_parts(RecipeParts& parts) const = 0;
};

// From the step and the parts of a recipe. Error(mismatch).
std::unique_ptr<const Tokenizer> read_tokenizer(const RecipeJson& steps, size_t index, const RecipeParts& parts);

// Sub-words: the most probable pieces under a unigram model (Kudo 2018, arXiv:1804.10959), as SentencePiece's own
// encoder finds them. Id 1 is what no piece covers.
struct Piece {
  std::string text;  // U+2581 stands for a space; each text begins with one
  float score;       // natural logarithm of its probability
};
std::unique_ptr<const Tokenizer> subword_tokenizer(std::vector<Piece> pieces);

// Whole words; id 1 is every other word.
std::unique_ptr<const Tokenizer> word_tokenizer(std::vector<std::string> words);

// A bag of hashed n-grams (Joulin 2016, arXiv:1607.01759; Bojanowski 2017, arXiv:1607.04606): words, runs of up to
// `words` words, and the parts of `least` to `most` characters of each word between "<" and ">". FNV-1a modulo
// `buckets`; only buckets seen in training have ids, what falls into another one is left out.
struct NgramSizes {
  int64_t words = 2, least = 4, most = 4;  // most 0: no parts of words
  int64_t buckets = 1 << 20;               // enough that few n-grams share one; rows are spent on those seen alone
};
// Calls take with the bucket of each n-gram of the text, in order.
void for_each_ngram(std::string_view text, const NgramSizes& sizes, const std::function<void(uint32_t bucket)>& take);
// seen: one bit a bucket, the lowest of each byte first.
std::unique_ptr<const Tokenizer> ngram_tokenizer(const NgramSizes& sizes, std::vector<uint8_t> seen);

}  // namespace lepton
