#pragma once
// The recipe of texts in the making: vocabulary and length from the training texts.
#include <functional>
#include <optional>
#include <string>

#include "data/prep_rows.h"
#include "data/recipe_text.h"

namespace lepton {

struct TextOptions {
  TextReading reading;
  TextForm form;
  std::string tokens;      // "subword", "words" or "ngrams"
  int64_t vocabulary = 0;  // most sub-words or words; 0: by the amount of text, and 50,000
  int64_t min_count = 2;   // words seen less often are unknown
  NgramSizes ngrams;
  int64_t length = 0;  // 0: that of the 99th of a hundred training texts, in order of length
};

// `note` is told vocabulary, length and how many training texts are cut. Memory: up to 64 MiB of text for sub-words,
// the distinct words, one bit a bucket; 4 bytes a text.
std::unique_ptr<RecipeFit> fit_text(const TextOptions& options, std::function<void(const std::string&)> note);

// Sub-words by SentencePiece's unigram training, the same on every run: its pieces without those it calls unknown or
// control. `size` is a limit: too large for the texts, there are fewer; below what their characters need, it is raised.
std::vector<Piece> train_subwords(const std::vector<std::string>& texts, int64_t size);

}  // namespace lepton
