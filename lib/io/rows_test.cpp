#include "io/rows.h"

#include <gtest/gtest.h>

namespace lepton {
namespace {

using Fields = std::vector<std::string>;

TEST(Rows, FieldsStayFields) {
  EXPECT_EQ(tsv_row(Fields{"a\tb", "c\nd", "e\\f", ""}), "a\\tb\tc\\nd\te\\\\f\t\n");
  EXPECT_EQ(csv_row(Fields{"plain", "a,b", "say \"hi\"", "two\nlines", ""}),
            "plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\n");
  EXPECT_EQ(json_text("tab\t\"quote\" \x01"), "\"tab\\t\\\"quote\\\" \\u0001\"");
  EXPECT_EQ(json_text("bad \xFF byte"), "\"bad \xEF\xBF\xBD byte\"");
}

TEST(Rows, SignificantDigits) {
  EXPECT_EQ(significant(0.998123456, 6), "0.998123");
  EXPECT_EQ(significant(1, 6), "1");
  EXPECT_EQ(significant(3.14159e-7, 3), "3.14e-07");
}

TEST(Rows, TablesAlignNumbersRightAndWideTextByItsWidth) {
  const std::vector<Fields> rows = {{"class", "n", "what"}, {"cat", "5", "x"}, {"\xE7\x8C\xAB", "120", "yy"}};
  EXPECT_EQ(aligned_table(rows),
            "class    n  what\n"
            "cat      5  x\n"
            "\xE7\x8C\xAB     120  yy\n");
  EXPECT_EQ(display_width("\xC3\xA9t\xC3\xA9"), 3U);
}

}  // namespace
}  // namespace lepton
