#include "push/answers.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <span>
#include <vector>

#include "base/text.h"
#include "io/sha256.h"

namespace lepton {
namespace {

constexpr size_t kLongestComplaint = 300;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool is_noise(const std::string& line) {
  static constexpr std::array<std::string_view, 12> kNoise = {
      "RequestId:",         "Time:",           "ErrorCode:", "Content:",          "usage:",          "To see help",
      "To search the help", "Read more about", "https://",   "If you would like", "To check gcloud", "Copying "};
  return line.empty() ||
         std::any_of(kNoise.begin(), kNoise.end(), [&](std::string_view noise) { return line.starts_with(noise); });
}

void blank_after(std::string& line, std::string_view mark) {
  constexpr std::string_view kEnds = " \t&;,'\")<>";
  for (size_t at = lower(line).find(mark); at != std::string::npos; at = lower(line).find(mark, at + 1)) {
    const size_t begin = line.find_first_not_of(' ', at + mark.size());
    if (begin == std::string::npos) return;
    line.replace(begin, std::min(line.find_first_of(kEnds, begin), line.size()) - begin, "...");
  }
}

}  // namespace

std::string hex_of_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return "";
  std::vector<uint8_t> bytes(text.size() / 4 * 3);
  const int size =
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const uint8_t*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return "";
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  return to_hex(std::span(bytes).first(static_cast<size_t>(size) - padding));
}

std::string base64_of_hex(std::string_view text) {
  const auto digit = [](char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10); };
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  std::string encoded(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // one more: it is ended by a zero
  const int size =
      EVP_EncodeBlock(reinterpret_cast<uint8_t*>(encoded.data()), bytes.data(), static_cast<int>(bytes.size()));
  encoded.resize(static_cast<size_t>(size));
  return encoded;
}

int64_t parse_time(const std::string& text) {
  std::tm time{};
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%a, %d %b %Y %H:%M:%S"}) {
    if (::strptime(text.c_str(), format, &time) != nullptr) return ::timegm(&time);
    time = {};
  }
  return 0;
}

std::string without_quotes(std::string text) {
  std::erase(text, '"');
  return text;
}

bool is_md5(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string without_secrets(std::string line) {
  static constexpr std::array<std::string_view, 15> kMarks = {"accountkey=",    "sharedaccesssignature=",
                                                              "sig=",           "signature=",
                                                              "credential=",    "x-amz-security-token=",
                                                              "accesskeyid=",   "access_key=",
                                                              "access_key_id=", "token=",
                                                              "secret=",        "password=",
                                                              "authorization:", "bearer ",
                                                              "sharedkey "};
  for (const std::string_view mark : kMarks) blank_after(line, mark);
  // "http://user:password@host"
  for (size_t at = line.find("://"); at != std::string::npos; at = line.find("://", at + 1)) {
    const size_t end = line.find_first_of("/ '\"", at + 3), sign = line.find('@', at + 3);
    if (sign != std::string::npos && sign < end) line.replace(at + 3, sign - at - 3, "...");
  }
  return line;
}

std::string complaint(std::string_view err) {
  std::string chosen;
  bool marked = false;  // "ERROR: " alone on its line speaks of the next one
  for (const std::string& raw : split(err, '\n')) {
    std::string line = trim(raw);
    if (line.starts_with("ERROR:")) {
      line = trim(std::string_view(line).substr(6));
      marked = true;
    }
    if (is_noise(line)) continue;
    chosen = line;
    if (marked) break;
  }
  const size_t cause = chosen.find("An error occurred (");  // behind the names of files that aws s3 puts first
  if (cause != std::string::npos) chosen.erase(0, cause);
  std::replace_if(chosen.begin(), chosen.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  chosen = without_secrets(chosen);
  if (chosen.size() > kLongestComplaint) chosen = chosen.substr(0, kLongestComplaint) + "...";
  return chosen;
}

}  // namespace lepton
