#pragma once
// CSV and TSV (RFC 4180): rows of fields from a stream, with the faults of each named and memory bounded.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/bytes.h"

namespace lepton {

struct CsvRow {
  int64_t line = 0;                      // where it begins, from 1
  std::vector<std::string_view> fields;  // without their quotes; valid until the next row is read
  std::string problem;                   // a fault in its form, without file and line; empty = fine
};

struct CsvOptions {
  char delimiter = ',';
  int64_t max_row_bytes = int64_t{16} << 20;
  bool utf8 = true;  // bytes that are no UTF-8 are a fault; a file in UTF-16 is an Error(no_input)
};

// Reads a row as soon as its line has come. Rows end in LF, CRLF or CR; lines without any byte are passed over; a byte
// order mark at the start is none of the data. Quoted fields may hold delimiters, line ends and "" for a quote; a quote
// inside an unquoted field stands for itself. Faults: NUL bytes, bytes that are no UTF-8, text behind a closing quote,
// a quote never closed (reading goes on with the line after it), a row longer than the limit. How many fields a row
// should have is the caller's to judge.
class CsvReader {
 public:
  CsvReader(ByteSource bytes, std::string name, const CsvOptions& options);
  bool next(CsvRow& row);  // false at the end; Error(no_input), Error(integrity) of the source
  // Looks at what lies ahead, at least one whole line unless it is longer than `most` bytes or the file ends; reads no
  // more than that needs.
  std::string_view peek_line(size_t most);
  void set_delimiter(char delimiter) { options_.delimiter = delimiter; }
  char delimiter() const { return options_.delimiter; }

 private:
  struct Field {
    size_t begin, end;  // in text_
  };
  bool has(size_t at);  // whether the row's byte `at` is there; reads more
  void skip_mark();
  bool parse(CsvRow& row);
  bool quoted(CsvRow& row, size_t& at);
  void give_up(CsvRow& row, size_t open, const std::string& problem);
  void discard_line();
  void advance(size_t count);
  void judge_bytes(CsvRow& row) const;

  ByteSource bytes_;
  std::string name_;
  CsvOptions options_;
  std::string buffer_;  // read and not yet handed out, from begin_
  size_t begin_ = 0;
  bool ended_ = false, begun_ = false;
  int64_t line_ = 1;
  bool after_cr_ = false;  // a row ended in CR: an LF right behind it belongs to it
  std::string text_;       // of the fields, unquoted
  std::vector<Field> fields_;
};

// Names of delimiters for messages: "comma", "tab", "semicolon", "bar".
const char* delimiter_name(char delimiter);
// The delimiter that cuts the rows of this beginning of a file most evenly into two fields or more; ',' where none
// does. `whole`: the file holds no more.
char detect_delimiter(std::string_view head, bool whole);
// Whether the first of these rows names columns: its fields differ from each other and from what is below, and none is
// a number.
bool has_header(std::span<const std::vector<std::string>> rows);
// The first rows of a beginning of a file, without a row cut off at its end and without faulty ones.
std::vector<std::vector<std::string>> first_rows(std::string_view head, bool whole, char delimiter, size_t most);

// Offset of the first byte that is not part of a valid UTF-8 sequence (RFC 3629), or npos.
size_t find_invalid_utf8(std::string_view text);

}  // namespace lepton
