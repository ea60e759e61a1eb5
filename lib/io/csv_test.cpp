#include "io/csv.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"

namespace lepton {
namespace {

// Every row as "line|field|field", or "line!problem".
std::vector<std::string> rows_of(std::string_view text, const CsvOptions& options = {}, size_t step = 1 << 20) {
  const ByteSource whole = memory_bytes(text);
  CsvReader reader([&](std::span<uint8_t> bytes) { return whole(bytes.first(std::min(step, bytes.size()))); }, "t.csv",
                   options);
  std::vector<std::string> rows;
  for (CsvRow row; reader.next(row);) {
    std::string made = std::to_string(row.line) + (row.problem.empty() ? "" : "!" + row.problem);
    for (const std::string_view field : row.fields) {
      if (row.problem.empty()) made.append("|").append(field);
    }
    rows.push_back(made);
  }
  return rows;
}

using Rows = std::vector<std::string>;

TEST(Csv, RowsAndFields) {
  const struct {
    std::string_view text;
    Rows rows;
  } cases[] = {
      {"", {}},
      {"\n\n", {}},
      {"a", {"1|a"}},
      {"a,b\n1,2\n", {"1|a|b", "2|1|2"}},
      {"a,b\r\n1,2\r\n", {"1|a|b", "2|1|2"}},
      {"a,b\r1,2\r", {"1|a|b", "2|1|2"}},
      {"a,b\n\n\r\n1,2", {"1|a|b", "4|1|2"}},
      {",\n", {"1||"}},
      {"a,\n,b\n", {"1|a|", "2||b"}},
      {" a , b\n", {"1| a | b"}},
      {"\"a,b\",\"c\"\n", {"1|a,b|c"}},
      {"\"say \"\"ho\"\"\",\"\"\n", {"1|say \"ho\"|"}},
      {"\"two\nlines\",x\nnext,y\n", {"1|two\nlines|x", "3|next|y"}},
      {"\"two\r\nlines\"\r\nnext\r\n", {"1|two\r\nlines", "3|next"}},
      {"5\" disk,x\n", {"1|5\" disk|x"}},
      {"\xef\xbb\xbf"
       "a,b\n",
       {"1|a|b"}},
      {"\xef\xbb\xbf", {}},
      {"gr\xc3\xbc\xc3\x9f,\xf0\x9f\x98\x80\n", {"1|gr\xc3\xbc\xc3\x9f|\xf0\x9f\x98\x80"}},
      {"\"a\"x,b\nc,d\n", {"1!field 1 goes on behind its closing quote", "2|c|d"}},
      {"a,\"b\nc,d\n", {"1!the quote opened in field 2, line 1, is not closed", "2|c|d"}},
      {"\"x\ny\",\"b\nc,d\n", {"1!the quote opened in field 2, line 2, is not closed", "3|c|d"}},
      {std::string_view("a\0b,c\nd,e\n", 10), {"1!field 1 holds a NUL byte", "2|d|e"}},
      {"a,b\xff\n1,2\n", {"1!field 2 is no UTF-8 from its byte 2 (0xff); iconv converts other encodings", "2|1|2"}},
      {"\xc3,\xa4\n", {"1!field 1 is no UTF-8 from its byte 1 (0xc3); iconv converts other encodings"}},
  };
  for (const auto& [text, rows] : cases) {
    for (const size_t step : {1, 2, 3, 1 << 20}) EXPECT_EQ(rows_of(text, {}, step), rows) << text << " by " << step;
  }
}

TEST(Csv, OtherDelimitersAndEncodings) {
  EXPECT_EQ(rows_of("a\tb,c\n", {.delimiter = '\t'}), Rows{"1|a|b,c"});
  EXPECT_EQ(rows_of("caf\xe9,b\n", {.utf8 = false}), Rows{"1|caf\xe9|b"});
  EXPECT_THROW(rows_of(std::string_view("\xff\xfe"
                                        "a\0",
                                        4)),
               Error);
}

TEST(Csv, LongRowsAreNamedAndPassedOver) {
  const std::string text = "a,b\n" + std::string(5000, 'x') + "\n\"" + std::string(3000, 'y') + "\nc,d\n";
  const Rows expected = {"1|a|b", "2!is longer than 1.0 KiB",
                         "3!the quote opened in field 1, line 3, is not closed within 1.0 KiB", "4|c|d"};
  for (const size_t step : {1, 700, 1 << 20}) EXPECT_EQ(rows_of(text, {.max_row_bytes = 1024}, step), expected) << step;
}

TEST(Csv, ARowIsThereAsSoonAsItsLineIs) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  CsvReader reader(open_bytes("/dev/fd/" + std::to_string(ends[0])), "pipe", {});
  CsvRow row;
  for (const char* line : {"a,b\r\n", "\"c\",d\n"}) {
    ASSERT_GT(::write(ends[1], line, std::string_view(line).size()), 0);
    ASSERT_TRUE(reader.next(row));
    EXPECT_EQ(row.fields.size(), 2U);
  }
  ::close(ends[1]);
  EXPECT_FALSE(reader.next(row));
  ::close(ends[0]);
}

TEST(Csv, WaitingEndsWhenNoMoreIsWanted) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  int asked = 0;
  CsvReader reader(open_bytes("/dev/fd/" + std::to_string(ends[0]), [&] { return ++asked < 2; }), "pipe", {});
  CsvRow row;
  EXPECT_FALSE(reader.next(row));
  EXPECT_EQ(asked, 2);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Csv, DelimitersAreFound) {
  const std::pair<const char*, char> cases[] = {
      {"a,b\n1,2\n", ','},
      {"a;b\n1,5;2,5\n3;4\n", ';'},
      {"a\tb\n1,2\t3\n", '\t'},
      {"a|b\n1|2\n", '|'},
      {"one\ntwo\n", ','},
      {"", ','},
      {"\"a;x\",b\n\"c;y\",d\n", ','},
      {"label\ta, b\nx\ta, b, c\n", '\t'},
  };
  for (const auto& [text, delimiter] : cases) EXPECT_EQ(detect_delimiter(text, true), delimiter) << text;
  EXPECT_EQ(detect_delimiter("a;b\nc;d\ne,f,g,h", false), ';') << "a cut row has no say";
}

TEST(Csv, HeadersAreKnown) {
  const std::pair<std::string_view, bool> cases[] = {
      {"age,name\n3,ann\n", true},      {"3,ann\n4,bob\n", false},   {"colour,shape\nred,round\nred,flat\n", true},
      {"red,round\nred,flat\n", false}, {"age,age\n3,4\n", false},   {",age\n0,3\n", true},
      {"age,\n0,3\n", false},           {"2019,2020\n1,2\n", false}, {"", false},
  };
  for (const auto& [text, header] : cases) EXPECT_EQ(has_header(first_rows(text, true, ',', 9)), header) << text;
}

TEST(Utf8, FirstBadByte) {
  const std::pair<std::string_view, size_t> cases[] = {
      {"plain", std::string_view::npos},
      {"\xc3\xa4", std::string_view::npos},
      {"a\xc3", 1},
      {"\xc0\x80", 0},
      {"\xed\xa0\x80", 0},
      {"\xe2\x82\xac"
       "x",
       std::string_view::npos},
      {"\xf4\x90\x80\x80", 0},
      {"\xf5\x80\x80\x80", 0},
      {"ab\x80", 2},
      {"\xe0\x9f\x80", 0},
      {"\xf0\x8f\x80\x80", 0},
  };
  for (const auto& [text, at] : cases) EXPECT_EQ(find_invalid_utf8(text), at);
}

}  // namespace
}  // namespace lepton
