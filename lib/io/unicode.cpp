#include "io/unicode.h"

#include <iconv.h>
#include <utf8proc.h>

#include <bit>
#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"

namespace lepton {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The character at `at`, and where the next one begins; -1 where there is none.
int32_t character(std::string_view text, size_t& at) {
  utf8proc_int32_t code = 0;
  const utf8proc_ssize_t used = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                                 static_cast<utf8proc_ssize_t>(text.size() - at), &code);
  if (used <= 0) return -1;
  at += static_cast<size_t>(used);
  return code;
}

enum class Kind { space, letter, digit, alone, other };

// Blocks of scripts whose words are not parted: kana, CJK ideographs and their extensions.
bool is_unparted(int32_t c) {
  return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFD);
}

Kind kind_of(int32_t c) {
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
      return Kind::space;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return is_unparted(c) ? Kind::alone : Kind::letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Kind::digit;
    default:
      return Kind::other;
  }
}

std::string mapped(std::string_view text, const TextForm& form) {
  int options = 0;
  if (form.nfkc) options |= UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
  if (form.fold) options |= UTF8PROC_CASEFOLD;
  if (options == 0) return std::string(text);
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &result, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
  if (length < 0) fail(Exit::bad_inputs, "cannot be normalised: {}", utf8proc_errmsg(length));
  return {reinterpret_cast<const char*>(result), static_cast<size_t>(length)};
}

bool is_utf8(const std::string& encoding) { return encoding.empty() || encoding == "UTF-8"; }

}  // namespace

void check_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const int32_t code = character(text, at);
    if (code < 0) {
      fail(Exit::bad_inputs, "is not UTF-8: 0x{:02X} at byte {}", static_cast<unsigned char>(text[begin]),
           with_commas(static_cast<int64_t>(begin) + 1));
    }
    if (code == 0) fail(Exit::bad_inputs, "holds a NUL at byte {}", with_commas(static_cast<int64_t>(begin) + 1));
  }
}

std::string normalise(std::string_view text, const TextForm& form) {
  const std::string whole = mapped(text, form);
  std::string result;
  result.reserve(whole.size());
  for (size_t at = 0; at < whole.size();) {
    const size_t begin = at;
    if (kind_of(character(whole, at)) != Kind::space) {
      result.append(whole, begin, at - begin);
    } else if (!result.empty() && result.back() != ' ') {
      result += ' ';
    }
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

void for_each_word(std::string_view text, const std::function<void(std::string_view word, bool spelled)>& take) {
  const auto kind_at = [&](size_t at) { return at < text.size() ? kind_of(character(text, at)) : Kind::space; };
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    Kind last = kind_of(character(text, at));
    if (last == Kind::space) continue;
    const bool spelled = last == Kind::letter || last == Kind::digit;
    while (spelled && at < text.size()) {
      size_t next = at;
      const Kind kind = kind_of(character(text, next));
      const bool joins = text[at] == '\'' && last == Kind::letter && kind_at(next) == Kind::letter;
      if (kind != Kind::letter && kind != Kind::digit && !joins) break;
      last = kind;
      at = next;
    }
    take(text.substr(begin, at - begin), spelled);
  }
}

Recoder::Recoder(const std::string& encoding, bool lines) : encoding_(encoding) {
  if (is_utf8(encoding)) return;
  for (const char* wide : {"UTF-16", "UTF16", "UTF-32", "UTF32", "UCS-2", "UCS-4", "UCS2", "UCS4"}) {
    if (lines && encoding.starts_with(wide)) {
      fail(Exit::usage, "--encoding {}: lines cannot be told by their bytes: convert with iconv -f {} -t UTF-8",
           encoding, encoding);
    }
  }
  state_ = ::iconv_open("UTF-8", encoding.c_str());
  if (state_ == std::bit_cast<void*>(intptr_t{-1})) {
    state_ = nullptr;
    fail(Exit::usage, "--encoding {}: not known; iconv -l lists those that are", encoding);
  }
}

Recoder::~Recoder() {
  if (state_ != nullptr) ::iconv_close(state_);
}

std::string Recoder::operator()(std::string_view bytes) const {
  std::string text;
  if (state_ == nullptr) {
    text = bytes;
  } else {
    ::iconv(state_, nullptr, nullptr, nullptr, nullptr);
    char buffer[4096];
    char* from = const_cast<char*>(bytes.data());
    for (size_t left = bytes.size(), done = 0; done == 0;) {
      char* to = buffer;
      size_t room = sizeof buffer;
      // The last call, without input, ends a shift sequence.
      const size_t status = left > 0 ? ::iconv(state_, &from, &left, &to, &room)
                                     : (++done, ::iconv(state_, nullptr, nullptr, &to, &room));
      text.append(buffer, to);
      if (status == static_cast<size_t>(-1) && errno != E2BIG) {
        fail(Exit::bad_inputs, "is not {}: 0x{:02X} at byte {}", encoding_, static_cast<unsigned char>(*from),
             with_commas(std::ssize(bytes) - static_cast<int64_t>(left) + 1));
      }
    }
  }
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  check_utf8(text);
  return text;
}

}  // namespace lepton
