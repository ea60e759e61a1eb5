#pragma once
// Text as bytes to text as valid, normalised UTF-8 and its words.
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lepton {

// Error(bad_inputs) unless all of it is UTF-8 (RFC 3629) without NUL: "is not UTF-8: byte 0xE9 at byte 17" (from 1).
void check_utf8(std::string_view text);

struct TextForm {
  bool nfkc = false;  // Unicode Normalization Form KC: full-width letters, ligatures and the like as plain ones
  bool fold = true;   // case folded (Unicode CaseFolding, full)
};
// Valid UTF-8 in the form wanted; each run of white space and control characters as one space, none at the ends.
std::string normalise(std::string_view text, const TextForm& form);

// Calls take for each word, in order: runs of letters, marks and digits, apostrophes between letters included
// ("don't"); any other character that is not white space is a word of its own, and so is every ideograph and kana,
// whose scripts put no space between words. `spelled`: it is of letters that have parts worth looking at.
void for_each_word(std::string_view text, const std::function<void(std::string_view word, bool spelled)>& take);

// The first byte and the number of bytes of each character are needed where words are cut: bytes of the character that
// begins at `lead`, in valid UTF-8.
inline size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// From another encoding to UTF-8, through iconv. Not thread-safe.
class Recoder {
 public:
  // Error(usage) for an encoding that iconv does not know, or whose lines cannot be told by their bytes (UTF-16,
  // UTF-32) where `lines` are to be read. UTF-8, the usual case, passes through.
  Recoder(const std::string& encoding, bool lines);
  ~Recoder();
  Recoder(const Recoder&) = delete;
  Recoder& operator=(const Recoder&) = delete;
  // Valid UTF-8 without NUL and byte order mark; Error(bad_inputs) names the byte that is not of the encoding.
  std::string operator()(std::string_view bytes) const;

 private:
  std::string encoding_;
  void* state_ = nullptr;
};

}  // namespace lepton
