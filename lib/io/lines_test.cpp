#include "io/lines.h"

#include <gtest/gtest.h>

namespace lepton {
namespace {

TEST(LineReader, EndsCutsAndCounts) {
  const struct {
    std::string text;
    std::vector<std::string> lines;  // "!" in front: too long
  } kCases[] = {
      {"", {}},
      {"\n", {""}},
      {"a\r\n\nbc", {"a", "", "bc"}},
      {"12345678\n", {"12345678"}},
      {"12345678\r\n9", {"12345678", "9"}},
      {"123456789\n0\n", {"!12345678", "0"}},
      {"12345678\r9\n", {"!12345678"}},
      {std::string(200'000, 'x') + "\ny", {"!xxxxxxxx", "y"}},
  };
  for (const auto& c : kCases) {
    LineReader reader(memory_bytes(c.text), 8);
    std::vector<std::string> lines;
    bool too_long = false;
    for (std::string line; reader.next(line, too_long);) lines.push_back((too_long ? "!" : "") + line);
    EXPECT_EQ(lines, c.lines) << c.text.substr(0, 20);
    EXPECT_EQ(reader.number(), std::ssize(c.lines));
  }
}

}  // namespace
}  // namespace lepton
