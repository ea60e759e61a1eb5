#pragma once
// Rows of text for the next program and tables for people.
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lepton {

// One line with its newline: fields escaped (escape_tsv) and parted by tabs.
std::string tsv_row(std::span<const std::string> fields);
// One line with its newline, as RFC 4180 quotes it.
std::string csv_row(std::span<const std::string> fields);
// A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string json_text(std::string_view text);

// At most so many significant digits, without trailing zeros: 0.99812, 1, 3.1e-07.
std::string significant(double value, int digits);

// Columns aligned with spaces, numbers to the right; the first row is the header.
std::string aligned_table(std::span<const std::vector<std::string>> rows);

// Columns shown by UTF-8 text on a terminal, wide East Asian characters counted twice.
size_t display_width(std::string_view text);

}  // namespace lepton
