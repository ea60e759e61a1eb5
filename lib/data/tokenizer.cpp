#include "data/tokenizer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/text.h"
#include "io/unicode.h"

namespace lepton {
namespace {

constexpr size_t kMostTokens = size_t{1} << 24;
constexpr size_t kMostPieceBytes = 1024;
constexpr const char* kVocabulary = "vocabulary";

const std::vector<uint8_t>& part(const RecipeParts& parts, const char* name) {
  const auto it = parts.find(name);
  if (it == parts.end()) refuse_recipe(fmt::format("its part '{}' is missing", name));
  return it->second;
}

// Lines of a part, each valid UTF-8.
std::vector<std::string> lines_of(const RecipeParts& parts) {
  const std::vector<uint8_t>& bytes = part(parts, kVocabulary);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  try {
    check_utf8(text);
  } catch (const Error& error) {
    refuse_recipe(fmt::format("its vocabulary {}", error.what()));
  }
  std::vector<std::string> lines = split(text, '\n');
  if (!lines.back().empty()) refuse_recipe("its vocabulary ends within a line");
  lines.pop_back();
  if (lines.size() > kMostTokens) refuse_recipe("its vocabulary is too large");
  return lines;
}

void set_part(RecipeParts& parts, const std::string& text) { parts[kVocabulary] = {text.begin(), text.end()}; }

class Words : public Tokenizer {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {
    for (size_t i = 0; i < words_.size(); ++i) {
      if (words_[i].empty() || !ids_.emplace(words_[i], static_cast<int32_t>(i + 2)).second)
        refuse_recipe(fmt::format("its vocabulary has an empty or repeated word in line {}", i + 1));
    }
  }
  int64_t tokens() const override { return std::ssize(words_) + 2; }
  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    for_each_word(text, [&](std::string_view word, bool) {
      const auto it = ids_.find(word);
      ids.push_back(it == ids_.end() ? 1 : it->second);
    });
  }
  RecipeJson step() const override { return {{"step", "tokens"}, {"kind", "words"}}; }
  void add_parts(RecipeParts& parts) const override {
    std::string text;
    for (const std::string& word : words_) text += word + '\n';
    set_part(parts, text);
  }

 private:
  std::vector<std::string> words_;
  std::unordered_map<std::string_view, int32_t> ids_;
};

class Subwords : public Tokenizer {
 public:
  explicit Subwords(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {
    float least = 0;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const Piece& piece = pieces_[i];
      if (piece.text.empty() || piece.text.size() > kMostPieceBytes || !std::isfinite(piece.score))
        refuse_recipe(fmt::format("line {} of its vocabulary is no piece", i + 1));
      least = std::min(least, piece.score);
      insert(piece.text, static_cast<int32_t>(i));
    }
    unknown_ = least - kUnknownPenalty;
  }
  int64_t tokens() const override { return std::ssize(pieces_) + 2; }

  // Viterbi over the characters: best[i] is the best score of the bytes before i and the piece that ends there.
  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    if (text.empty()) return;
    std::string marked(kSpace);
    for (const char c : text) c == ' ' ? marked.append(kSpace) : marked.append(1, c);
    struct Best {
      float score = -std::numeric_limits<float>::infinity();
      int32_t piece = -1, begin = 0;
    };
    std::vector<Best> best(marked.size() + 1);
    best[0].score = 0;
    const auto offer = [&](size_t begin, size_t end, float score, int32_t piece) {
      if (best[begin].score + score > best[end].score)
        best[end] = {best[begin].score + score, piece, static_cast<int32_t>(begin)};
    };
    for (size_t begin = 0; begin < marked.size();) {
      const size_t next = begin + utf8_length(marked[begin]);
      bool alone = false;  // whether a piece is this one character
      uint32_t node = 0;
      for (size_t end = begin; end < marked.size(); ++end) {
        const auto it = edges_.find(edge(node, marked[end]));
        if (it == edges_.end()) break;
        node = it->second;
        const int32_t piece = ends_[node];
        if (piece < 0) continue;
        offer(begin, end + 1, pieces_[static_cast<size_t>(piece)].score, piece);
        alone = alone || end + 1 == next;
      }
      if (!alone) offer(begin, next, unknown_, -1);
      begin = next;
    }
    const size_t first = ids.size();
    for (size_t end = marked.size(); end > 0; end = static_cast<size_t>(best[end].begin)) {
      ids.push_back(best[end].piece < 0 ? 1 : best[end].piece + 2);
    }
    std::reverse(ids.begin() + static_cast<int64_t>(first), ids.end());
  }

  RecipeJson step() const override { return {{"step", "tokens"}, {"kind", "subword"}}; }
  void add_parts(RecipeParts& parts) const override {
    std::string text;
    for (const Piece& piece : pieces_) text += fmt::format("{}\t{}\n", piece.text, piece.score);
    set_part(parts, text);
  }

 private:
  static constexpr std::string_view kSpace = "\xE2\x96\x81";
  static constexpr float kUnknownPenalty = 10;  // as SentencePiece's

  static uint64_t edge(uint32_t node, char byte) { return uint64_t{node} << 8 | static_cast<unsigned char>(byte); }
  void insert(const std::string& text, int32_t piece) {
    uint32_t node = 0;
    for (const char c : text) {
      const auto [it, added] = edges_.try_emplace(edge(node, c), static_cast<uint32_t>(ends_.size()));
      if (added) ends_.push_back(-1);
      node = it->second;
    }
    if (ends_[node] >= 0) refuse_recipe(fmt::format("its vocabulary repeats a piece in line {}", piece + 1));
    ends_[node] = piece;
  }

  std::vector<Piece> pieces_;
  std::unordered_map<uint64_t, uint32_t> edges_;  // of a trie over bytes
  std::vector<int32_t> ends_ = {-1};              // of each node: the piece that ends there
  float unknown_ = 0;
};

class Ngrams : public Tokenizer {
 public:
  Ngrams(const NgramSizes& sizes, std::vector<uint8_t> seen) : sizes_(sizes), seen_(std::move(seen)) {
    if (std::ssize(seen_) * 8 != sizes.buckets) refuse_recipe("its list of buckets does not fit their number");
    ids_.resize(static_cast<size_t>(sizes.buckets));
    int32_t next = 1;
    for (size_t i = 0; i < ids_.size(); ++i) {
      if ((seen_[i / 8] >> (i % 8) & 1) != 0) ids_[i] = next++;
    }
    tokens_ = next;
  }
  int64_t tokens() const override { return tokens_; }
  bool is_bag() const override { return true; }
  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    for_each_ngram(text, sizes_, [&](uint32_t bucket) {
      if (ids_[bucket] > 0) ids.push_back(ids_[bucket]);
    });
  }
  RecipeJson step() const override {
    return {{"step", "tokens"},      {"kind", "ngrams"},    {"words", sizes_.words},
            {"least", sizes_.least}, {"most", sizes_.most}, {"buckets", sizes_.buckets}};
  }
  void add_parts(RecipeParts& parts) const override { parts["buckets"] = seen_; }

 private:
  NgramSizes sizes_;
  std::vector<uint8_t> seen_;
  std::vector<int32_t> ids_;  // of each bucket, 0 = none
  int64_t tokens_ = 1;
};

constexpr uint32_t kFnvStart = 2166136261U, kFnvPrime = 16777619U;
constexpr uint32_t kPartsStart = kFnvStart ^ 0x5bd1e995U;  // so that a word and a part that reads the same differ
uint32_t fnv1a(uint32_t hash, std::string_view bytes) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return hash;
}

std::vector<Piece> pieces_of(const std::vector<std::string>& lines) {
  std::vector<Piece> pieces;
  for (const std::string& line : lines) {
    const size_t tab = line.find('\t');
    float score = 0;
    const char* end = line.data() + line.size();
    const bool whole = tab != std::string::npos &&
                       std::from_chars(line.data() + tab + 1, end, score) == std::from_chars_result{end, std::errc{}};
    if (!whole) refuse_recipe(fmt::format("line {} of its vocabulary is no piece and score", pieces.size() + 1));
    pieces.push_back({line.substr(0, tab), score});
  }
  return pieces;
}

}  // namespace

void for_each_ngram(std::string_view text, const NgramSizes& sizes, const std::function<void(uint32_t bucket)>& take) {
  const auto buckets = static_cast<uint32_t>(sizes.buckets);
  std::vector<std::string_view> before;  // the words before this one, the nearest last
  std::vector<size_t> starts;
  std::string bounded;
  for_each_word(text, [&](std::string_view word, bool spelled) {
    uint32_t hash = fnv1a(kFnvStart, word);
    take(hash % buckets);
    for (size_t back = 1; back < static_cast<size_t>(sizes.words) && back <= before.size(); ++back) {
      hash = fnv1a(fnv1a(hash, " "), before[before.size() - back]);
      take(hash % buckets);
    }
    if (before.size() == static_cast<size_t>(sizes.words)) before.erase(before.begin());
    before.push_back(word);
    if (!spelled || sizes.most == 0) return;
    bounded = '<' + std::string(word) + '>';
    starts.clear();
    for (size_t at = 0; at < bounded.size(); at += utf8_length(bounded[at])) starts.push_back(at);
    starts.push_back(bounded.size());
    const size_t characters = starts.size() - 1;
    for (size_t begin = 0; begin < characters; ++begin) {
      for (auto n = static_cast<size_t>(sizes.least); n <= static_cast<size_t>(sizes.most); ++n) {
        if (begin + n > characters) break;
        const auto part = std::string_view(bounded).substr(starts[begin], starts[begin + n] - starts[begin]);
        take(fnv1a(kPartsStart, part) % buckets);
      }
    }
  });
}

std::unique_ptr<const Tokenizer> subword_tokenizer(std::vector<Piece> pieces) {
  return std::make_unique<Subwords>(std::move(pieces));
}

std::unique_ptr<const Tokenizer> word_tokenizer(std::vector<std::string> words) {
  return std::make_unique<Words>(std::move(words));
}

std::unique_ptr<const Tokenizer> ngram_tokenizer(const NgramSizes& sizes, std::vector<uint8_t> seen) {
  return std::make_unique<Ngrams>(sizes, std::move(seen));
}

std::unique_ptr<const Tokenizer> read_tokenizer(const RecipeJson& steps, size_t index, const RecipeParts& parts) {
  const RecipeJson& step = index < steps.size() ? steps[index] : steps;
  const bool ngrams = step.is_object() && step.contains("kind") && step["kind"] == "ngrams";
  if (!ngrams) {
    const RecipeJson& plain = step_at(steps, index, "tokens", {"kind"});
    if (plain["kind"] == "words") return word_tokenizer(lines_of(parts));
    if (plain["kind"] != "subword") refuse_recipe("its tokens are none of subword, words and ngrams");
    return subword_tokenizer(pieces_of(lines_of(parts)));
  }
  step_at(steps, index, "tokens", {"kind", "words", "least", "most", "buckets"});
  NgramSizes sizes;
  sizes.words = integer(step, "words", 1, 8);
  sizes.least = integer(step, "least", 1, 32);
  sizes.most = integer(step, "most", 0, 32);
  sizes.buckets = integer(step, "buckets", 8, int64_t{1} << 24);
  if (sizes.buckets % 8 != 0) refuse_recipe("'buckets' is no multiple of 8");
  return ngram_tokenizer(sizes, part(parts, "buckets"));
}

}  // namespace lepton
