#include "io/csv.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace lepton {
namespace {

constexpr size_t kReadBytes = size_t{1} << 16;

bool ends_line(char c) { return c == '\n' || c == '\r'; }

}  // namespace

CsvReader::CsvReader(ByteSource bytes, std::string name, const CsvOptions& options)
    : bytes_(std::move(bytes)), name_(std::move(name)), options_(options) {}

bool CsvReader::has(size_t at) {
  while (begin_ + at >= buffer_.size()) {
    if (ended_) return false;
    if (begin_ > 0) {
      buffer_.erase(0, begin_);
      begin_ = 0;
    }
    const size_t size = buffer_.size();
    buffer_.resize(size + kReadBytes);
    const size_t got = bytes_({reinterpret_cast<uint8_t*>(buffer_.data()) + size, kReadBytes});
    buffer_.resize(size + got);
    ended_ = got == 0;
  }
  return true;
}

void CsvReader::skip_mark() {
  begun_ = true;
  if (!has(0)) return;
  const auto byte = [this](size_t at) { return has(at) ? static_cast<uint8_t>(buffer_[begin_ + at]) : 0; };
  if (byte(0) == 0xef && byte(1) == 0xbb && byte(2) == 0xbf) begin_ += 3;
  if (options_.utf8 && ((byte(0) == 0xff && byte(1) == 0xfe) || (byte(0) == 0xfe && byte(1) == 0xff))) {
    fail(Exit::no_input, "{}: is UTF-16, expected UTF-8: convert it with iconv -f UTF-16 -t UTF-8", name_);
  }
}

void CsvReader::advance(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const char c = buffer_[begin_ + i];
    line_ += c == '\r' || (c == '\n' && !after_cr_);
    after_cr_ = c == '\r';
  }
  begin_ += count;
}

std::string_view CsvReader::peek_line(size_t most) {
  if (!begun_) skip_mark();
  size_t at = 0;
  while (at < most && has(at) && !ends_line(buffer_[begin_ + at])) ++at;
  return std::string_view(buffer_).substr(begin_, most);
}

bool CsvReader::next(CsvRow& row) {
  if (!begun_) skip_mark();
  row.problem.clear();
  row.fields.clear();
  while (has(0) && ends_line(buffer_[begin_])) advance(1);
  if (!has(0)) return false;
  after_cr_ = false;
  row.line = line_;
  text_.clear();
  fields_.clear();
  if (parse(row)) {
    row.fields.reserve(fields_.size());
    for (const Field& f : fields_) row.fields.push_back(std::string_view(text_).substr(f.begin, f.end - f.begin));
    judge_bytes(row);
  }
  return true;
}

// False where the row was given up.
bool CsvReader::parse(CsvRow& row) {
  const auto limit = static_cast<size_t>(options_.max_row_bytes);
  size_t at = 0;
  for (;;) {
    const size_t begin = text_.size();
    if (has(at) && buffer_[begin_ + at] == '"' && !quoted(row, at)) return false;
    // Up to the delimiter or the end of the line; behind a closing quote there should be nothing.
    const bool behind_quote = text_.size() > begin || (at > 0 && buffer_[begin_ + at - 1] == '"');
    while (has(at)) {
      const char* run = buffer_.data() + begin_ + at;
      const char* end = buffer_.data() + buffer_.size();
      const char* stop =
          std::find_if(run, end, [d = options_.delimiter](char c) { return c == d || c == '\n' || c == '\r'; });
      if (stop > run && behind_quote && row.problem.empty()) {
        row.problem = fmt::format("field {} goes on behind its closing quote", fields_.size() + 1);
      }
      text_.append(run, stop);
      at += static_cast<size_t>(stop - run);
      if (at > limit)
        return give_up(row, 0, fmt::format("is longer than {}", human_bytes(options_.max_row_bytes))), false;
      if (stop != end) break;
    }
    fields_.push_back({begin, text_.size()});
    if (!has(at) || ends_line(buffer_[begin_ + at])) {
      advance(has(at) ? at + 1 : at);
      return true;
    }
    ++at;
  }
}

// A quoted field from its quote at `at`; leaves `at` behind the closing one.
bool CsvReader::quoted(CsvRow& row, size_t& at) {
  const size_t open = at++;
  const auto limit = static_cast<size_t>(options_.max_row_bytes);
  for (;;) {
    if (!has(at) || at > limit) {
      const auto lines = std::count(buffer_.begin() + static_cast<int64_t>(begin_),
                                    buffer_.begin() + static_cast<int64_t>(begin_ + open), '\n');
      give_up(row, open,
              fmt::format("the quote opened in field {}, line {}, is not closed{}", fields_.size() + 1, line_ + lines,
                          at > limit ? " within " + human_bytes(options_.max_row_bytes) : ""));
      return false;
    }
    const char* run = buffer_.data() + begin_ + at;
    // Not beyond the limit, so that what is found does not depend on how much is there at once.
    const char* end = run + std::min(buffer_.size() - begin_ - at, limit + 1 - at);
    const char* quote = std::find(run, end, '"');
    text_.append(run, quote);
    at += static_cast<size_t>(quote - run);
    if (quote == end) continue;
    ++at;
    if (!has(at) || buffer_[begin_ + at] != '"') return true;
    text_ += '"';
    ++at;
  }
}

// The row cannot be read: goes on with the line after the one that holds byte `open` of it.
void CsvReader::give_up(CsvRow& row, size_t open, const std::string& problem) {
  row.problem = problem;
  advance(open);
  discard_line();
}

void CsvReader::discard_line() {
  while (has(0)) {
    const auto begin = buffer_.begin() + static_cast<int64_t>(begin_);
    const auto end = std::find_if(begin, buffer_.end(), ends_line);
    if (end != buffer_.end()) return advance(static_cast<size_t>(end - begin) + 1);
    begin_ = buffer_.size();
  }
}

void CsvReader::judge_bytes(CsvRow& row) const {
  if (!row.problem.empty()) return;
  if (std::all_of(text_.begin(), text_.end(), [](char c) { return c > 0; })) return;  // plain ASCII, as most are
  for (size_t i = 0; i < row.fields.size(); ++i) {
    if (row.fields[i].find('\0') != std::string_view::npos) {
      row.problem = fmt::format("field {} holds a NUL byte", i + 1);
      return;
    }
    const size_t at = options_.utf8 ? find_invalid_utf8(row.fields[i]) : std::string_view::npos;
    if (at == std::string_view::npos) continue;
    row.problem = fmt::format("field {} is no UTF-8 from its byte {} (0x{:02x}); iconv converts other encodings", i + 1,
                              at + 1, static_cast<uint8_t>(row.fields[i][at]));
    return;
  }
}

const char* delimiter_name(char delimiter) {
  switch (delimiter) {
    case '\t':
      return "tab";
    case ';':
      return "semicolon";
    case '|':
      return "bar";
    default:
      return "comma";
  }
}

std::vector<std::vector<std::string>> first_rows(std::string_view head, bool whole, char delimiter, size_t most) {
  if (!whole) head = head.substr(0, head.find_last_of("\r\n") + 1);  // npos + 1 is 0
  CsvReader reader(memory_bytes(head), "", {.delimiter = delimiter, .utf8 = false});
  std::vector<std::vector<std::string>> rows;
  for (CsvRow row; rows.size() < most && reader.next(row);) {
    if (row.problem.empty()) rows.emplace_back(row.fields.begin(), row.fields.end());
  }
  return rows;
}

char detect_delimiter(std::string_view head, bool whole) {
  constexpr size_t kRows = 200;
  char best = ',';
  double best_share = 0.5;
  for (const char delimiter : {'\t', ';', '|', ','}) {
    const auto rows = first_rows(head, whole, delimiter, kRows);
    std::vector<size_t> counts;
    counts.reserve(rows.size());
    for (const auto& row : rows) counts.push_back(row.size());
    std::sort(counts.begin(), counts.end());
    size_t most = 0, equal = 0;
    for (size_t i = 0; i < counts.size();) {
      const auto end = std::upper_bound(counts.begin(), counts.end(), counts[i]) - counts.begin();
      const size_t same = static_cast<size_t>(end) - i;
      if (same > equal) most = counts[i], equal = same;
      i = static_cast<size_t>(end);
    }
    const double share = rows.empty() ? 0 : static_cast<double>(equal) / static_cast<double>(rows.size());
    if (most < 2 || share <= best_share) continue;
    best = delimiter;
    best_share = share;
  }
  return best;
}

bool has_header(std::span<const std::vector<std::string>> rows) {
  if (rows.empty()) return false;
  const std::vector<std::string>& names = rows[0];
  std::vector<std::string> sorted;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string name = trim(names[i]);
    if (parse_double(name) || (name.empty() && i > 0)) return false;  // the first may be empty: row numbers
    sorted.push_back(name);
  }
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return false;
  for (size_t column = 0; column < names.size(); ++column) {
    for (size_t r = 1; r < rows.size(); ++r) {
      if (column >= rows[r].size()) continue;
      if (parse_double(trim(rows[r][column]))) return true;
    }
  }
  for (size_t r = 1; r < rows.size(); ++r) {
    for (size_t column = 0; column < std::min(names.size(), rows[r].size()); ++column) {
      if (rows[r][column] == names[column]) return false;
    }
  }
  return true;
}

size_t find_invalid_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  for (size_t i = 0; i < text.size();) {
    const uint8_t lead = bytes[i];
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return i;
    const uint8_t second = bytes[i + 1];
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return i;
    for (size_t k = 2; k < length; ++k) {
      if ((bytes[i + k] & 0xc0) != 0x80) return i;
    }
    i += length;
  }
  return std::string_view::npos;
}

}  // namespace lepton
