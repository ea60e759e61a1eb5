#include "data/tokenizer.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <set>

#include "base/error.h"
#include "data/text_fit.h"

namespace lepton {
namespace {

std::vector<int32_t> ids_of(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, ids);
  return ids;
}

// Sentences over a small language: stems, endings, Chinese pairs.
std::vector<std::string> sentences(size_t count) {
  const std::vector<std::string> kStems = {
      "walk", "talk", "jump", "play", "\xE4\xBD\xA0\xE5\xA5\xBD", "t\xC3\xA9l\xC3\xA9"};
  const std::vector<std::string> kEndings = {"", "s", "ed", "ing", "er", "\xE5\x90\x97"};
  std::vector<std::string> texts;
  uint32_t state = 1;
  const auto draw = [&](size_t n) { return ((state = state * 1664525 + 1013904223) >> 16) % n; };
  for (size_t i = 0; i < count; ++i) {
    std::string text;
    for (size_t w = 0; w < 3 + draw(6); ++w) {
      text += (w > 0 ? " " : "") + kStems[draw(kStems.size())] + kEndings[draw(kEndings.size())];
    }
    texts.push_back(text);
  }
  return texts;
}

class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(std::vector<std::string> texts) : texts_(std::move(texts)) {}
  bool done() const override { return at_ == texts_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return texts_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> texts_;
  size_t at_ = 0;
};

TEST(Subwords, AgreeWithSentencePiecesOwnEncoder) {
  std::string model;
  Lines lines(sentences(400));
  ASSERT_TRUE(sentencepiece::SentencePieceTrainer::Train({{"vocab_size", "60"},
                                                          {"hard_vocab_limit", "false"},
                                                          {"normalization_rule_name", "identity"},
                                                          {"bos_id", "-1"},
                                                          {"eos_id", "-1"},
                                                          {"minloglevel", "3"}},
                                                         &lines, &model)
                  .ok());
  sentencepiece::SentencePieceProcessor theirs;
  ASSERT_TRUE(theirs.LoadFromSerializedProto(model).ok());
  std::vector<Piece> pieces;
  for (int i = 1; i < theirs.GetPieceSize(); ++i) pieces.push_back({theirs.IdToPiece(i), theirs.GetScore(i)});
  const auto ours = subword_tokenizer(pieces);
  std::vector<std::string> texts = sentences(600);
  texts.insert(texts.end(), {"unknown Zzz 123", "walk \xF0\x9F\x98\x80 walking", "x", "walkwalkingtalker"});
  for (const std::string& text : texts) {
    std::vector<int> expected;
    ASSERT_TRUE(theirs.Encode(text, &expected).ok());
    std::vector<int32_t> known, got = ids_of(*ours, text);
    // SentencePiece joins neighbouring unknown characters into one.
    for (const int32_t id : got) {
      if (id != 1 || known.empty() || known.back() != 0) known.push_back(id - 1);
    }
    EXPECT_EQ(known, std::vector<int32_t>(expected.begin(), expected.end())) << text;
  }
}

TEST(Subwords, TrainingRepeatsAndKeepsWithinWhatTheTextsAllow) {
  const std::vector<Piece> first = train_subwords(sentences(300), 50), second = train_subwords(sentences(300), 50);
  ASSERT_EQ(first.size(), second.size());
  EXPECT_LE(first.size(), 50U);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].text, second[i].text);
    EXPECT_EQ(first[i].score, second[i].score);
  }
  EXPECT_LT(train_subwords({"ab ab"}, 5000).size(), 10U);   // lowered
  EXPECT_GT(train_subwords(sentences(300), 3).size(), 3U);  // raised to the characters there are
}

TEST(Words, UnknownOnesAreOne) {
  const auto words = word_tokenizer({"the", "cat"});
  EXPECT_EQ(words->tokens(), 4);
  EXPECT_EQ(ids_of(*words, "the cat, the dog"), (std::vector<int32_t>{2, 3, 1, 2, 1}));
  EXPECT_EQ(ids_of(*words, ""), std::vector<int32_t>{});
}

TEST(Ngrams, AreWordsRunsAndPartsInOrder) {
  const auto count = [](const char* text, const NgramSizes& sizes) {
    int n = 0;
    for_each_ngram(text, sizes, [&](uint32_t bucket) {
      EXPECT_LT(bucket, sizes.buckets);
      ++n;
    });
    return n;
  };
  EXPECT_EQ(count("one two three", {.words = 1, .most = 0}), 3);
  EXPECT_EQ(count("one two three", {.words = 2, .most = 0}), 5);
  EXPECT_EQ(count("one two three", {.words = 3, .most = 0}), 6);
  EXPECT_EQ(count("one", {.words = 1, .least = 3, .most = 6}), 1 + 3 + 2 + 1);  // <on one ne>, <one one>, <one>
  EXPECT_EQ(count("\xC3\xA9\xC3\xA9\xC3\xA9", {.words = 1, .least = 3, .most = 6}),
            1 + 3 + 2 + 1);                                         // characters, not bytes
  EXPECT_EQ(count("\xE4\xBD\xA0\xE5\xA5\xBD !", {.words = 1}), 3);  // ideographs and marks have no parts
}

TEST(Ngrams, OnlyBucketsSeenHaveIds) {
  const NgramSizes sizes{.words = 1, .most = 0, .buckets = 1024};
  std::vector<uint8_t> seen(128);
  std::vector<uint32_t> buckets;
  for_each_ngram("red green", sizes, [&](uint32_t bucket) {
    seen[bucket / 8] |= static_cast<uint8_t>(1 << bucket % 8);
    buckets.push_back(bucket);
  });
  ASSERT_NE(buckets[0], buckets[1]);
  const auto ngrams = ngram_tokenizer(sizes, seen);
  EXPECT_EQ(ngrams->tokens(), 3);
  const std::vector<int32_t> ids = ids_of(*ngrams, "green blue red green");
  ASSERT_EQ(ids.size(), 3U);
  EXPECT_EQ(ids[0], ids[2]);
  EXPECT_EQ((std::set<int32_t>(ids.begin(), ids.end())), (std::set<int32_t>{1, 2}));
}

TEST(ReadTokenizer, RefusesWhatIsNone) {
  const auto read = [](const char* step, const RecipeParts& parts) {
    return read_tokenizer(RecipeJson::array({RecipeJson::parse(step)}), 0, parts);
  };
  const auto part = [](const std::string& text) { return RecipeParts{{"vocabulary", {text.begin(), text.end()}}}; };
  const char* kWords = R"({"step":"tokens","kind":"words"})";
  const char* kPieces = R"({"step":"tokens","kind":"subword"})";
  const char* kGrams = R"({"step":"tokens","kind":"ngrams","words":2,"least":3,"most":6,"buckets":64})";
  EXPECT_EQ(read(kWords, part("a\nb\n"))->tokens(), 4);
  EXPECT_EQ(read(kPieces, part("a\t-1.5\nb\t-2\n"))->tokens(), 4);
  EXPECT_EQ(read(kGrams, {{"buckets", std::vector<uint8_t>(8, 255)}})->tokens(), 65);
  const std::pair<const char*, RecipeParts> kBad[] = {
      {kWords, {}},
      {kWords, part("a\nb")},
      {kWords, part("a\n\n")},
      {kWords, part("a\na\n")},
      {kWords, part("\xFF\n")},
      {kPieces, part("a\n")},
      {kPieces, part("a\tx\n")},
      {kPieces, part("a\tnan\n")},
      {kPieces, part("a\t-1\na\t-2\n")},
      {kPieces, part("\t-1\n")},
      {kGrams, {}},
      {kGrams, {{"buckets", {1, 2}}}},
      {R"({"step":"tokens","kind":"bytes"})", part("a\n")},
      {R"({"step":"tokens","kind":"ngrams","words":0,"least":3,"most":6,"buckets":64})", {}},
  };
  for (const auto& [step, parts] : kBad) {
    try {
      read(step, parts);
      FAIL() << step;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Exit::mismatch) << step;
    }
  }
}

}  // namespace
}  // namespace lepton
