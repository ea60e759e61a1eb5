#include "data/text_fit.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"

namespace lepton {
namespace {

constexpr int64_t kSentenceBytes = 64 << 20;  // that sub-words are learned from, at most
constexpr size_t kMostSentence = 10'000;      // bytes of one text taken for that
constexpr size_t kMostWords = 4'000'000;      // distinct words counted at a time
constexpr int64_t kMostLengthChosen = 4096, kLeastLengthChosen = 8;
constexpr int64_t kWords = 50'000;

// Sub-words by the amount of text: one for so many bytes, within limits.
int64_t default_subwords(int64_t bytes) { return std::clamp<int64_t>(bytes / 128, 1'000, 16'000); }

class TextFit : public RecipeFit {
 public:
  TextFit(const TextOptions& options, std::function<void(const std::string&)> note)
      : options_(options), note_(std::move(note)) {
    if (options_.tokens == "ngrams") seen_.resize(static_cast<size_t>(options_.ngrams.buckets) / 8);
  }

  void see(const LabelledRecord& record) override {
    std::string text;
    try {
      text = text_of({reinterpret_cast<const uint8_t*>(record.raw.data()), record.raw.size()}, options_.reading,
                     options_.form);
    } catch (const Error& error) {
      if (error.status() != Exit::bad_inputs) throw;
      return;  // counted where it is encoded
    }
    bytes_ += std::ssize(text);
    int32_t length = 0;
    if (options_.tokens == "words") {
      for_each_word(text, [&](std::string_view word, bool) {
        ++length;
        ++counts_[std::string(word)];
      });
      if (counts_.size() > kMostWords) std::erase_if(counts_, [](const auto& word) { return word.second == 1; });
    } else if (options_.tokens == "ngrams") {
      for_each_ngram(text, options_.ngrams, [&](uint32_t bucket) {
        ++length;
        seen_[bucket / 8] |= static_cast<uint8_t>(1 << bucket % 8);
      });
    } else {
      keep_sentence(std::move(text));
      return;
    }
    lengths_.push_back(length);
  }

  std::unique_ptr<const Recipe> fit(RecipeParts& parts) override {
    auto recipe = std::make_unique<TextRecipe>();
    recipe->reading = options_.reading;
    recipe->form = options_.form;
    recipe->tokenizer = tokenizer();
    recipe->tokenizer->add_parts(parts);
    for (const std::string& text : sentences_) {
      std::vector<int32_t> ids;
      recipe->tokenizer->encode(text, ids);
      lengths_.push_back(static_cast<int32_t>(ids.size()));
    }
    sentences_ = {};
    if (lengths_.empty()) fail(Exit::no_input, "no training text is usable");
    std::sort(lengths_.begin(), lengths_.end());
    recipe->length = options_.length > 0 ? options_.length : chosen_length();
    const auto cut = lengths_.end() - std::upper_bound(lengths_.begin(), lengths_.end(), recipe->length);
    note_(fmt::format("{} tokens ({}); texts of up to {} tokens, the longest training text has {}: {} of {} are cut",
                      with_commas(recipe->tokens() - 1), options_.tokens, recipe->length, with_commas(lengths_.back()),
                      with_commas(cut), with_commas(std::ssize(lengths_))));
    return recipe;
  }

 private:
  // The longest of 99 in a hundred.
  int64_t chosen_length() const {
    const int64_t length = lengths_[(lengths_.size() - 1) * 99 / 100];
    return std::clamp(length, kLeastLengthChosen, kMostLengthChosen);
  }

  void keep_sentence(std::string text) {
    if (kept_ >= kSentenceBytes) return;
    size_t end = std::min(text.size(), kMostSentence);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    kept_ += std::ssize(text);
    sentences_.push_back(std::move(text));
  }

  std::unique_ptr<const Tokenizer> tokenizer() {
    if (options_.tokens == "ngrams") return ngram_tokenizer(options_.ngrams, seen_);
    if (options_.tokens == "words") return word_tokenizer(frequent_words());
    const int64_t size = options_.vocabulary > 0 ? options_.vocabulary : default_subwords(bytes_);
    if (sentences_.empty()) fail(Exit::no_input, "no training text is usable");
    return subword_tokenizer(train_subwords(sentences_, size));
  }

  // Most frequent first, equal ones in the order of their bytes.
  std::vector<std::string> frequent_words() {
    std::vector<std::pair<int64_t, std::string>> order;
    for (const auto& [word, count] : counts_) {
      if (count >= options_.min_count) order.emplace_back(-count, word);
    }
    std::sort(order.begin(), order.end());
    order.resize(std::min(order.size(), static_cast<size_t>(options_.vocabulary > 0 ? options_.vocabulary : kWords)));
    std::vector<std::string> words;
    words.reserve(order.size());
    for (auto& [count, word] : order) words.push_back(std::move(word));
    return words;
  }

  TextOptions options_;
  std::function<void(const std::string&)> note_;
  int64_t bytes_ = 0, kept_ = 0;
  std::vector<int32_t> lengths_;
  std::unordered_map<std::string, int64_t> counts_;
  std::vector<uint8_t> seen_;
  std::vector<std::string> sentences_;
};

}  // namespace

std::unique_ptr<RecipeFit> fit_text(const TextOptions& options, std::function<void(const std::string&)> note) {
  return std::make_unique<TextFit>(options, std::move(note));
}

}  // namespace lepton
