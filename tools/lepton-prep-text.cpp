#include "lepton-prep-text.h"

#include <CLI/App.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
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

PrepResult prepare_texts(const TextCommand& command, const std::string& label, const std::vector<InputSpec>& inputs,
                         const SourceLimits& limits, const std::string& target, const PrepOptions& options,
                         const PrepHooks& hooks, std::vector<std::string>& files) {
  TextCommand chosen = command;
  if (chosen.tokens.empty()) chosen.tokens = "ngrams";
  std::vector<InputSpec> rows, documents;
  for (const InputSpec& input : inputs) {
    std::error_code ignored;
    if (!fs::is_directory(input.path, ignored)) {
      const bool archive = input.path != "-" && !holds_rows(input.path) && extension(input.path) != ".txt";
      (archive ? documents : rows).push_back(input);
      continue;
    }
    const std::vector<std::string> inside = row_files(input.path);
    for (const std::string& file : inside) rows.push_back({file, input.split});
    if (inside.empty()) documents.push_back(input);
  }
  if (!rows.empty() && !documents.empty()) {
    fail(Exit::usage, "{} holds a text a line and {} a text a file: one kind at a time", rows[0].path,
         documents[0].path);
  }
  const TextOptions text = text_options(chosen, rows.empty());
  std::unique_ptr<LabelledRecords> records;
  if (!rows.empty()) {
    TextColumns columns{label.empty() ? "label" : label, options.split_key, !label.empty() || !chosen.column.empty()};
    for (const InputSpec& file : rows) {
      files.push_back(file.path);
      std::error_code ignored;
      if (file.path != "-" && fs::equivalent(file.path, target, ignored))
        fail(Exit::usage, "{}: is an input too: name another output", target);
    }
    records = text_file_records(rows, text.reading, columns);
  } else {
    records = document_records(
        open_sources(documents, {std::min(limits.max_file_bytes, chosen.max_text), limits.max_members}), options);
  }
  const std::unique_ptr<RecipeFit> fit = fit_text(text, hooks.note);
  RowsSpec spec;
  spec.task = "text-classification";
  spec.inputs = "texts";
  spec.options = provenance_of(chosen);
  return prepare_rows(*records, *fit, spec, target, options, hooks);
}

}  // namespace lepton
