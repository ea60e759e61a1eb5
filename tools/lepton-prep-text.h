#pragma once
// What lepton-prep can be asked of texts, and how it makes a dataset of them.
#include <optional>
#include <string>
#include <vector>

#include "data/prep.h"
#include "data/text_fit.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lepton {

struct TextCommand {
  std::string column, tokens, length, encoding = "UTF-8", letter_case = "fold", char_ngrams = "4-4";
  int64_t vocabulary = 0, min_count = 2, word_ngrams = 2, buckets = 1 << 20, max_text = 1 << 20;
  bool nfkc = false;
};

void add_text_options(CLI::App& app, TextCommand& command);

// Whether all inputs are files or folders of texts, by their names and a look at their first lines.
bool look_like_texts(const std::vector<InputSpec>& inputs);

// Files that hold a text a line, row or object, and sources of whole documents; never both.
struct TextInputs {
  std::vector<InputSpec> lines, documents;
};
// Error(usage) for inputs of both kinds.
TextInputs text_inputs(const std::vector<InputSpec>& inputs);

// How texts are to be cut, chosen or asked for.
std::string tokens_of(const TextCommand& command);

// `label` is the column of the label, "" = "label".
PrepResult prepare_lines(const TextCommand& command, const std::string& label, const std::vector<InputSpec>& files,
                         const std::string& target, const PrepOptions& options, const PrepHooks& hooks);
PrepResult prepare_documents(const TextCommand& command, std::vector<std::unique_ptr<Source>> sources,
                             const std::string& target, const PrepOptions& options, const PrepHooks& hooks);

}  // namespace lepton
