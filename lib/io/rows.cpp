#include "io/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace lepton {
namespace {

// Blocks that East Asian Width calls wide, coarsely (Unicode Standard Annex 11).
bool is_wide(uint32_t c) {
  return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
         (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
}

bool is_number(const std::string& cell) { return parse_double(cell).has_value(); }

// A column is of numbers if every filled cell below its header begins with one ("0.91 (0.90-0.92)" counts).
bool numeric_column(std::span<const std::vector<std::string>> rows, size_t column) {
  bool any = false;
  for (size_t r = 1; r < rows.size(); ++r) {
    if (column >= rows[r].size() || rows[r][column].empty() || rows[r][column] == "-") continue;
    if (!is_number(rows[r][column].substr(0, rows[r][column].find(' ')))) return false;
    any = true;
  }
  return any;
}

}  // namespace

std::string tsv_row(std::span<const std::string> fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += '\t';
    line += escape_tsv(fields[i]);
  }
  return line += '\n';
}

std::string csv_row(std::span<const std::string> fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += ',';
    if (fields[i].find_first_of(",\"\r\n") == std::string::npos) {
      line += fields[i];
      continue;
    }
    line += '"';
    for (const char c : fields[i]) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  return line += '\n';
}

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string significant(double value, int digits) { return fmt::format("{:.{}g}", value, digits); }

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t bytes = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t code = bytes == 1 ? lead : lead & (0xFFU >> (bytes + 1));
    for (size_t k = 1; k < bytes && i + k < text.size(); ++k) {
      code = code << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3FU);
    }
    width += is_wide(code) ? 2 : 1;
    i += bytes;
  }
  return width;
}

std::string aligned_table(std::span<const std::vector<std::string>> rows) {
  size_t columns = 0;
  for (const auto& row : rows) columns = std::max(columns, row.size());
  std::vector<size_t> widths(columns, 0);
  std::vector<bool> right(columns);
  for (size_t c = 0; c < columns; ++c) {
    right[c] = numeric_column(rows, c);
    for (const auto& row : rows) widths[c] = std::max(widths[c], c < row.size() ? display_width(row[c]) : 0);
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - display_width(row[c]), ' ');
      line += (c > 0 ? "  " : "") + (right[c] ? padding + row[c] : row[c] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace lepton
