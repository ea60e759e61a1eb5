#include "io/unicode.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace lepton {
namespace {

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(CheckUtf8, NamesTheFirstByteThatIsWrong) {
  const struct {
    std::string text, message;
  } kCases[] = {
      {"", ""},
      {"plain \xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80", ""},
      {"caf\xE9", "is not UTF-8: 0xE9 at byte 4"},
      {"\xC0\xAF", "is not UTF-8: 0xC0 at byte 1"},          // overlong
      {"ab\xED\xA0\x80", "is not UTF-8: 0xED at byte 3"},    // a surrogate
      {"\xF4\x90\x80\x80", "is not UTF-8: 0xF4 at byte 1"},  // above U+10FFFF
      {"ab\xE4\xBD", "is not UTF-8: 0xE4 at byte 3"},        // cut short
      {std::string("a\0b", 3), "holds a NUL at byte 2"},
  };
  for (const auto& c : kCases) EXPECT_EQ(message_of([&] { check_utf8(c.text); }), c.message) << c.text;
}

TEST(Normalise, FoldsComposesAndTidiesSpace) {
  const struct {
    const char *text, *result;
    TextForm form;
  } kCases[] = {
      {"  A\tb \r\n C ", "A b C", {false, false}},
      {"Stra\xC3\x9F"
       "e \xC3\x89T\xC3\x89",
       "strasse \xC3\xA9t\xC3\xA9",
       {false, true}},
      {"\xEF\xBC\xA1\xEF\xBC\x92\xEF\xAC\x81", "A2fi", {true, false}},  // full-width A and 2, the ligature fi
      {"e\xCC\x81", "\xC3\xA9", {true, false}},                         // e and a combining acute
      {"e\xCC\x81", "e\xCC\x81", {false, false}},
      {"\xE3\x80\x80\xC2\xA0", "", {false, false}},  // an ideographic and a no-break space
      {"\xEF\xBC\xA1", "a", {true, true}},
  };
  for (const auto& c : kCases) EXPECT_EQ(normalise(c.text, c.form), c.result) << c.text;
}

TEST(ForEachWord, PartsWordsMarksAndIdeographs) {
  const struct {
    const char* text;
    std::vector<std::string> words;
  } kCases[] = {
      {"", {}},
      {"I don't, 'quoted'.", {"I", "don't", ",", "'", "quoted", "'", "."}},
      {"room 101b!!", {"room", "101b", "!", "!"}},
      {"\xE4\xBD\xA0\xE5\xA5\xBDok", {"\xE4\xBD\xA0", "\xE5\xA5\xBD", "ok"}},
      {"\xE0\xB8\xAA\xE0\xB8\xB1\xE0\xB8\x9A", {"\xE0\xB8\xAA\xE0\xB8\xB1\xE0\xB8\x9A"}},  // Thai, with a mark
      {"n't 's x", {"n't", "'", "s", "x"}},
  };
  for (const auto& c : kCases) {
    std::vector<std::string> words;
    for_each_word(c.text, [&](std::string_view word, bool) { words.emplace_back(word); });
    EXPECT_EQ(words, c.words) << c.text;
  }
}

TEST(Recoder, ReadsOtherEncodingsAndNamesWhatIsNone) {
  EXPECT_EQ(Recoder("ISO-8859-1", true)("caf\xE9"), "caf\xC3\xA9");
  EXPECT_EQ(Recoder("GB18030", true)("\xC4\xE3\xBA\xC3"), "\xE4\xBD\xA0\xE5\xA5\xBD");
  EXPECT_EQ(Recoder("UTF-16LE", false)(std::string("h\0i\0", 4)), "hi");
  EXPECT_EQ(Recoder("UTF-8", true)("\xEF\xBB\xBFhi"), "hi");
  const std::string large(10'000, '\xE9');
  EXPECT_EQ(Recoder("ISO-8859-1", true)(large).size(), 20'000U);
  EXPECT_EQ(message_of([] { Recoder("GB18030", true)("ab\xC4"); }), "is not GB18030: 0xC4 at byte 3");
  EXPECT_EQ(message_of([] { Recoder("UTF-16LE", false)(std::string("\0\0", 2)); }), "holds a NUL at byte 1");
  EXPECT_NE(message_of([] { Recoder("UTF-16", true); }).find("convert with iconv"), std::string::npos);
  EXPECT_NE(message_of([] { Recoder("KLINGON", true); }).find("iconv -l"), std::string::npos);
}

}  // namespace
}  // namespace lepton
