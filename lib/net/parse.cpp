#include "net/parse.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace lepton {

bool Item::flag(std::string_view name) const { return std::find(flags.begin(), flags.end(), name) != flags.end(); }

const std::string* Item::option(std::string_view name) const {
  for (const auto& [key, value] : options) {
    if (key == name) return &value;
  }
  return nullptr;
}

void fail_item(const Item& item, const std::string& problem) {
  fail(Exit::usage, "net line {}: {}: {}", item.line, item.row->word, problem);
}

std::string shown(std::string_view word) {
  std::string text;
  for (const char c : word.substr(0, 40)) text += c >= ' ' && c <= '~' ? c : '?';
  return word.size() > 40 ? text + "..." : text;
}

std::string suggest(std::string_view word, const std::vector<std::string>& accepted) {
  const std::string near = nearest(word, accepted);
  if (!near.empty()) return fmt::format(" (did you mean `{}`?)", near);
  std::string list;
  for (const std::string& each : accepted) list += (list.empty() ? "" : ", ") + each;
  return list.empty() ? "" : "; accepted: " + list;
}

namespace {

constexpr size_t kMaxText = 65536;
constexpr int kMaxDepth = 32;
constexpr int kMaxLayers = 2000;

struct Token {
  int line;
  std::string text;  // a word, "{", "}", "|", or "" for the end of a statement
};

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  int line = 1;
  bool comment = false;
  std::string word;
  const auto flush = [&] {
    if (!word.empty()) tokens.push_back({line, std::move(word)});
    word.clear();
  };
  for (const char c : text) {
    if (comment && c != '\n') continue;
    comment = false;
    switch (c) {
      case '#':
        flush();
        comment = true;
        break;
      case '\n':
      case ';':
        flush();
        tokens.push_back({line, ""});
        if (c == '\n') ++line;
        break;
      case '{':
      case '}':
      case '|':
        flush();
        tokens.push_back({line, std::string(1, c)});
        break;
      case ' ':
      case '\t':
      case '\r':
        flush();
        break;
      default:
        word += c;
    }
  }
  flush();
  tokens.push_back({line, ""});
  return tokens;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(tokens_of(text)) {}

  // Statements up to the end of the text, or to the `}` or `|` that ends a branch of `opened`.
  std::vector<Item> block(const Item* opened, int depth) {
    std::vector<Item> items;
    bool fresh = true;  // at the start of a statement
    while (next_ < tokens_.size()) {
      const Token& token = tokens_[next_++];
      if (token.text.empty()) {
        if (!fresh) check_complete(items.back());
        fresh = true;
      } else if (token.text == "}" || token.text == "|") {
        if (!opened) fail(Exit::usage, "net line {}: `{}` closes nothing", token.line, token.text);
        if (!fresh) check_complete(items.back());
        return items;
      } else if (token.text == "{") {
        open(items, fresh, token.line, depth);
      } else {
        word(items, fresh, token);
        fresh = false;
      }
    }
    if (opened) fail_item(*opened, "its block is not closed; a `}` is missing");
    return items;
  }

 private:
  void open(std::vector<Item>& items, bool fresh, int line, int depth) {
    if (fresh || !items.back().row->block || !items.back().branches.empty()) {
      fail(Exit::usage, "net line {}: `{{` must follow `residual`, `residual project` or `parallel`", line);
    }
    if (depth >= kMaxDepth) fail_item(items.back(), fmt::format("blocks are nested deeper than {}", kMaxDepth));
    std::vector<std::vector<Item>> branches;
    do {
      branches.push_back(block(&items.back(), depth + 1));
      const bool several = items.back().is("parallel");
      if (branches.back().empty()) fail_item(items.back(), several ? "a branch is empty" : "its block is empty");
      if (branches.size() > 1 && !several) fail_item(items.back(), "`|` separates the branches of `parallel` alone");
    } while (tokens_[next_ - 1].text == "|");
    items.back().branches = std::move(branches);
  }

  void word(std::vector<Item>& items, bool fresh, const Token& token) {
    const LayerRow* row = find_layer(token.text);
    if (fresh) {
      if (!row)
        fail(Exit::usage, "net line {}: unknown layer `{}`{}", token.line, shown(token.text),
             suggest(token.text, layer_words()));
      add(items, token.line, row);
    } else if (row && row->follower) {
      check_complete(items.back());
      add(items, token.line, row);
    } else if (row) {
      fail(Exit::usage, "net line {}: `{}` starts a layer of its own: put it on a new line or behind a `;`", token.line,
           token.text);
    } else {
      argument(items.back(), token.text);
    }
  }

  void add(std::vector<Item>& items, int line, const LayerRow* row) {
    Item item;
    item.line = line;
    item.row = row;
    if (++count_ > kMaxLayers) fail_item(item, fmt::format("more than {} layers", kMaxLayers));
    items.push_back(std::move(item));
  }

  static void argument(Item& item, const std::string& text) {
    const LayerRow& row = *item.row;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) {
      const std::string name = text.substr(0, equals);
      const std::vector<std::string> names(row.options.begin(), row.options.end());
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        fail_item(item, fmt::format("unknown option `{}`{}", shown(name), suggest(name, names)));
      }
      if (item.option(name)) fail_item(item, fmt::format("option `{}` is given twice", name));
      item.options.emplace_back(name, text.substr(equals + 1));
    } else if (std::find(row.flags.begin(), row.flags.end(), text) != row.flags.end()) {
      if (!item.flag(text)) item.flags.push_back(text);
    } else if (item.plain.size() < row.most) {
      item.plain.push_back(text);
    } else {
      std::vector<std::string> accepted(row.flags.begin(), row.flags.end());
      for (const char* option : row.options) accepted.push_back(std::string(option) + "=");
      for (const LayerRow& each : layer_table()) {
        if (each.follower) accepted.emplace_back(each.word);
      }
      fail_item(item, fmt::format("unknown word `{}`{}", shown(text), suggest(text, accepted)));
    }
  }

  static void check_complete(const Item& item) {
    if (item.plain.size() < item.row->least)
      fail_item(item, fmt::format("too few words; write `{}`", item.row->syntax));
    if (item.row->block && item.branches.empty()) fail_item(item, "a block `{ ... }` must follow on the same line");
  }

  std::vector<Token> tokens_;
  size_t next_ = 0;
  int count_ = 0;
};

}  // namespace

std::vector<Item> parse_net(std::string_view text) {
  if (text.size() > kMaxText) {
    fail(Exit::usage, "net: {} bytes of text; at most {} are read", text.size(), kMaxText);
  }
  return Parser(text).block(nullptr, 0);
}

}  // namespace lepton
