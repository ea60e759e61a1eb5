#pragma once
// Network text as a tree of layers, before shapes are known.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/layers.h"

namespace lepton {

// One layer as written. `row` points into the layer table.
struct Item {
  int line = 0;
  const LayerRow* row = nullptr;
  std::vector<std::string> plain;                            // "64", "3x3"
  std::vector<std::pair<std::string, std::string>> options;  // "stride" → "2"
  std::vector<std::string> flags;                            // "valid"
  std::vector<std::vector<Item>> branches = {};              // residual: one, parallel: two or more

  bool is(std::string_view word) const { return word == row->word; }
  bool flag(std::string_view name) const;
  const std::string* option(std::string_view name) const;  // nullptr if not given
};

// Layers in order; those that follow on the same line stand as items of their own. Errors (usage) name line, layer,
// problem and the nearest word. Bounded: 64 KiB of text, 32 blocks deep, 2000 layers.
std::vector<Item> parse_net(std::string_view text);

// Throws Error(usage) "net line 3: conv: ...".
[[noreturn]] void fail_item(const Item& item, const std::string& problem);

// What a message shows of a word: at most 40 characters, unprintable ones as `?`.
std::string shown(std::string_view word);

// " (did you mean `bn`?)", or "; one of a, b, c" where nothing is near.
std::string suggest(std::string_view word, const std::vector<std::string>& accepted);

}  // namespace lepton
