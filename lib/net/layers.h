#pragma once
// The layer table: every word of the network language, what it accepts and what it means. Parser, --list-layers and
// lepton-nets(5) all read this one table.
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lepton {

// One word of the network language.
struct LayerRow {
  const char* word;                  // "conv"
  const char* syntax;                // "conv N KxK [stride=S] ..."
  const char* meaning;               // one or two sentences
  size_t least, most;                // how many plain words (numbers, sizes) follow it
  bool follower;                     // may stand behind another layer on the same line
  std::vector<const char*> options;  // names accepted as name=value
  std::vector<const char*> flags;    // words accepted alone
  bool block = false;                // a `{ ... }` follows
};

std::span<const LayerRow> layer_table();
const LayerRow* find_layer(std::string_view word);  // nullptr if there is none
std::vector<std::string> layer_words();

// An option or flag, for --list-layers and the manual.
struct LayerOptionRow {
  const char* syntax;
  const char* meaning;
};
std::span<const LayerOptionRow> layer_options();

}  // namespace lepton
