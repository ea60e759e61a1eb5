#pragma once
// Small helpers for text: splitting, escaping, spelling, numbers for people.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lepton {

std::vector<std::string> split(std::string_view text, char separator);  // "a,,b" gives three parts
std::vector<std::string> words(std::string_view text);                  // parts between runs of white space
std::string trim(std::string_view text);

// Whole text as a number, or nothing: no sign of rubbish behind it is accepted.
std::optional<int64_t> parse_int(std::string_view text);
std::optional<double> parse_double(std::string_view text);
// A number of bytes, with a suffix K, M, G or T (powers of 1024) or without: "512M", "1.5g", "4096".
std::optional<int64_t> parse_bytes(std::string_view text);

// The candidate with the smallest edit distance to `word`, or "" if none is within a third of its length.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// Tab, newline, carriage return and backslash as \t \n \r \\, so that a field stays a field.
std::string escape_tsv(std::string_view field);
std::string unescape_tsv(std::string_view field);

std::string with_commas(int64_t number);  // 1234567 -> "1,234,567"
std::string human_bytes(int64_t bytes);   // 1536 -> "1.5 KiB"

}  // namespace lepton
