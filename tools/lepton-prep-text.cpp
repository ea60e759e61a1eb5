#include "lepton-prep-text.h"

#include <CLI/App.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "data/known_recipe.h"
#include "data/prep_medium.h"
#include "data/text_records.h"

namespace lepton {
namespace {

namespace fs = std::filesystem;

constexpr int kLinesLookedAt = 50;
constexpr size_t kFilesLookedAt = 200;

// The end of a name in lower case, without ".gz".
std::string extension(fs::path path) {
  if (path.extension() == ".gz") path = path.stem();
  std::string end = path.extension();
  std::transform(end.begin(), end.end(), end.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return end;
}

bool holds_rows(const std::string& path) {
  constexpr std::array<const char*, 5> kEnds = {".tsv", ".csv", ".jsonl", ".ndjson", ".json"};
  return std::find(kEnds.begin(), kEnds.end(), extension(path)) != kEnds.end();
}

// Files of rows directly in a folder, in order; none where it holds folders.
std::vector<std::string> row_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code ignored;
    const std::string name = entry.path().filename();
    if (name.starts_with('.')) continue;
    if (entry.is_regular_file(ignored) && holds_rows(name)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// A label and a text a line: two fields, most of the second ones of several words or not in ASCII.
bool is_text_tsv(const std::string& path) {
  LineReader lines(open_bytes(path), 1 << 20);
  std::string line;
  bool too_long = false;
  int seen = 0, texts = 0;
  while (seen < kLinesLookedAt && lines.next(line, too_long)) {
    const std::vector<std::string> fields = split(line, '\t');
    if (fields.size() != 2) return false;
    ++seen;
    const bool words = fields[1].find(' ') != std::string::npos &&
                       std::any_of(fields[1].begin(), fields[1].end(), [](unsigned char c) { return std::isalpha(c); });
    if (words || std::any_of(fields[1].begin(), fields[1].end(), [](char c) { return (c & 0x80) != 0; })) ++texts;
  }
  return texts * 2 > seen;
}

bool looks_like_text(const std::string& path) {
  std::error_code ignored;
  if (path == "-") return false;
  if (!fs::is_directory(path, ignored)) {
    const std::string end = extension(path);
    if (end == ".jsonl" || end == ".ndjson") return true;
    return end == ".tsv" && fs::is_regular_file(path, ignored) && is_text_tsv(path);
  }
  const std::vector<std::string> rows = row_files(path);
  if (!rows.empty()) return std::all_of(rows.begin(), rows.end(), looks_like_text);
  size_t files = 0, texts = 0;
  for (fs::recursive_directory_iterator entry(path, ignored), end; entry != end && files < kFilesLookedAt;
       entry.increment(ignored)) {
    if (!entry->is_regular_file(ignored) || entry->path().filename().native().starts_with('.')) continue;
    ++files;
    texts += extension(entry->path()) == ".txt" ? 1 : 0;
  }
  return texts * 2 > files;
}

// "3-6", or 0 for none.
void parse_char_ngrams(const std::string& text, NgramSizes& sizes) {
  const std::vector<std::string> parts = split(text, '-');
  const auto least = parse_int(parts[0]), most = parse_int(parts.back());
  if (text == "0") {
    sizes.most = 0;
    return;
  }
  if (parts.size() != 2 || !least || !most || *least < 1 || *most < *least || *most > 32)
    fail(Exit::usage, "--char-ngrams {}: expected LEAST-MOST characters, such as 3-6, at most 32, or 0 for none", text);
  sizes.least = *least;
  sizes.most = *most;
}

TextOptions text_options(const TextCommand& command, bool documents) {
  TextOptions options;
  options.reading.documents = documents;
  if (!command.column.empty()) options.reading.column = command.column;
  options.reading.encoding = command.encoding == "utf-8" ? "UTF-8" : command.encoding;
  options.reading.max_bytes = command.max_text;
  const Recoder known(options.reading.encoding, !documents);  // or Error
  options.form = {command.nfkc, command.letter_case == "fold"};
  options.tokens = command.tokens;
  options.vocabulary = command.vocabulary;
  options.min_count = command.min_count;
  options.ngrams.words = command.word_ngrams;
  options.ngrams.buckets = command.buckets;
  if (command.buckets % 8 != 0) fail(Exit::usage, "--buckets {}: expected a multiple of 8", command.buckets);
  parse_char_ngrams(command.char_ngrams, options.ngrams);
  const auto length = parse_int(command.length.empty() ? "0" : command.length);
  if (!length || *length < 0 || *length > 65'536)
    fail(Exit::usage, "--length {}: expected a number of tokens up to 65,536", command.length);
  options.length = *length;
  return options;
}

// What the options say that changes the content; the recipe says the rest.
std::vector<std::pair<std::string, std::string>> provenance_of(const TextCommand& command) {
  std::vector<std::pair<std::string, std::string>> said = {{"tokens", command.tokens}};
  if (command.vocabulary > 0) said.emplace_back("vocabulary", std::to_string(command.vocabulary));
  if (command.tokens == "words") said.emplace_back("min-count", std::to_string(command.min_count));
  if (!command.length.empty()) said.emplace_back("length", command.length);
  return said;
}

}  // namespace

void add_text_options(CLI::App& app, TextCommand& c) {
  const char* kTexts = "Texts";
  app.add_option("--text", c.column, "column or field of the text (text)")->type_name("NAME")->group(kTexts);
  app.add_option("--tokens", c.tokens, "how texts are cut: ngrams, words or subword (ngrams)")
      ->type_name("KIND")
      ->check(CLI::IsMember({"words", "subword", "ngrams"}))
      ->group(kTexts);
  app.add_option("--vocabulary", c.vocabulary, "most words or sub-words (by the amount of text)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->group(kTexts);
  app.add_option("--min-count", c.min_count, "words seen less often in training are unknown (2)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->group(kTexts);
  app.add_option("--word-ngrams", c.word_ngrams, "longest run of words that is a token of --tokens ngrams (2)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{8}))
      ->group(kTexts);
  app.add_option("--char-ngrams", c.char_ngrams, "lengths of the parts of words that are such tokens; 0 = none (4-4)")
      ->type_name("A-B")
      ->group(kTexts);
  app.add_option("--buckets", c.buckets, "hash values of such tokens (1048576)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{8}, int64_t{1} << 24))
      ->group(kTexts);
  app.add_option("--length", c.length, "tokens of a sample; longer texts are cut (99 in 100 texts fit)")
      ->type_name("N")
      ->group(kTexts);
  app.add_option("--encoding", c.encoding, "of the texts, as iconv names it (UTF-8)")->type_name("NAME")->group(kTexts);
  app.add_flag("--nfkc", c.nfkc, "normalise to Unicode NFKC")->group(kTexts);
  app.add_option("--case", c.letter_case, "fold (letters that differ in case only are the same) or keep (fold)")
      ->type_name("MODE")
      ->check(CLI::IsMember({"fold", "keep"}))
      ->group(kTexts);
  app.add_option("--max-text", c.max_text, "refuse longer texts (1 MiB)")
      ->type_name("BYTES")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 28))
      ->group(kTexts);
}

bool look_like_texts(const std::vector<InputSpec>& inputs) {
  return !inputs.empty() &&
         std::all_of(inputs.begin(), inputs.end(), [](const InputSpec& input) { return looks_like_text(input.path); });
}

TextInputs text_inputs(const std::vector<InputSpec>& inputs) {
  TextInputs found;
  for (const InputSpec& input : inputs) {
    std::error_code ignored;
    if (!fs::is_directory(input.path, ignored)) {
      const bool archive = input.path != "-" && !holds_rows(input.path) && extension(input.path) != ".txt";
      (archive ? found.documents : found.lines).push_back(input);
      continue;
    }
    const std::vector<std::string> inside = row_files(input.path);
    for (const std::string& file : inside) found.lines.push_back({file, input.split});
    if (inside.empty()) found.documents.push_back(input);
  }
  if (!found.lines.empty() && !found.documents.empty()) {
    fail(Exit::usage, "{} holds a text a line and {} a text a file: one kind at a time", found.lines[0].path,
         found.documents[0].path);
  }
  return found;
}

namespace {

// A known recipe reads as its training data was read.
TextOptions reading_options(const TextCommand& command, bool documents, const PrepOptions& prep,
                            const std::string& input) {
  TextOptions options = text_options(command, documents);
  if (prep.known == nullptr) return options;
  const auto& recipe = dynamic_cast<const TextRecipe&>(*prep.known->recipe);
  if (recipe.reading.documents != documents)
    refuse_kind(*prep.known, input, documents ? "a text a file, not a line" : "a text a line, not a file");
  options.reading = recipe.reading;
  return options;
}

PrepResult prepare_records(LabelledRecords& records, const TextOptions& text, const TextCommand& command,
                           const std::string& target, const PrepOptions& options, const PrepHooks& hooks) {
  const std::unique_ptr<RecipeFit> fit =
      options.known != nullptr ? known_fit(*options.known) : fit_text(text, hooks.note);
  RowsSpec spec;
  spec.task = "text-classification";
  spec.inputs = "texts";
  if (options.known == nullptr) spec.options = provenance_of(command);
  return prepare_rows(records, *fit, spec, target, options, hooks);
}

TextCommand with_defaults(const TextCommand& command) {
  TextCommand chosen = command;
  chosen.tokens = tokens_of(command);
  return chosen;
}

}  // namespace

std::string tokens_of(const TextCommand& command) { return command.tokens.empty() ? "ngrams" : command.tokens; }

PrepResult prepare_lines(const TextCommand& command, const std::string& label, const std::vector<InputSpec>& files,
                         const std::string& target, const PrepOptions& options, const PrepHooks& hooks) {
  const TextCommand chosen = with_defaults(command);
  const TextOptions text = reading_options(chosen, false, options, files[0].path);
  // Lines of many fields are a table of another kind than a known recipe's, unless a header names the text.
  const bool many = options.known != nullptr && files[0].path != "-" && extension(files[0].path) == ".tsv" &&
                    !is_text_tsv(files[0].path);
  const TextColumns columns{label.empty() ? "label" : label, options.split_key,
                            !label.empty() || !chosen.column.empty() || many};
  for (const InputSpec& file : files) {
    std::error_code ignored;
    if (file.path != "-" && fs::equivalent(file.path, target, ignored))
      fail(Exit::usage, "{}: is an input too: name another output", target);
  }
  return prepare_records(*text_file_records(files, text.reading, columns), text, chosen, target, options, hooks);
}

PrepResult prepare_documents(const TextCommand& command, std::vector<std::unique_ptr<Source>> sources,
                             const std::string& target, const PrepOptions& options, const PrepHooks& hooks) {
  const TextCommand chosen = with_defaults(command);
  const std::string name = sources[0]->name, found = options.known != nullptr ? kind_of_files(sources) : "";
  if (!found.empty()) refuse_kind(*options.known, name, found == "image" ? "images" : "recordings");
  const TextOptions text = reading_options(chosen, true, options, name);
  const std::unique_ptr<LabelledRecords> records = document_records(std::move(sources), options, hooks.warn);
  return prepare_records(*records, text, chosen, target, options, hooks);
}

}  // namespace lepton
