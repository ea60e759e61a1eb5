#pragma once
// Reading what clients print: their hashes, times and complaints.
#include <cstdint>
#include <string>
#include <string_view>

namespace lepton {

std::string hex_of_base64(std::string_view text);  // "" for what is no base64
std::string base64_of_hex(std::string_view text);

// "2026-11-25T09:35:34.000Z", "2026-11-25T09:35:34+00:00" or "Wed, 25 Nov 2026 09:35:36 GMT"; 0 for anything else.
int64_t parse_time(const std::string& text);

// An entity tag without its quotes, and whether it is the MD5 of a whole object.
std::string without_quotes(std::string text);
bool is_md5(std::string_view text);

// The one line of a client's standard error that says what was wrong, short, without control characters and secrets.
std::string complaint(std::string_view err);
std::string without_secrets(std::string line);

}  // namespace lepton
