#include "data/text_records.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "data/source_kinds.h"

namespace lepton {
namespace {

constexpr int64_t kBeside = int64_t{1} << 20;  // bytes of a line beside its text at most

bool ends_in(std::string_view path, std::string_view ending) {
  if (path.ends_with(".gz")) path.remove_suffix(3);
  return path.size() > ending.size() && std::equal(ending.rbegin(), ending.rend(), path.rbegin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

bool is_json(const std::string& path) {
  return ends_in(path, ".jsonl") || ends_in(path, ".ndjson") || ends_in(path, ".json");
}

// A value that can name a class: text, a number or a truth value.
bool name_of(const nlohmann::json& value, std::string& name) {
  if (value.is_string()) return name = value.get<std::string>(), true;
  if (!value.is_number() && !value.is_boolean()) return false;
  return name = value.dump(), true;
}

}  // namespace

TextRows::TextRows(const std::string& path, const TextReading& reading, TextColumns columns,
                   std::function<bool()> wanted)
    : path_(path),
      reading_(reading),
      columns_(std::move(columns)),
      wanted_(std::move(wanted)),
      recoder_(std::make_unique<Recoder>(reading.encoding, true)),
      names_{reading.column} {
  if (is_json(path)) {
    form_ = Form::json;
  } else if (ends_in(path, ".csv")) {
    form_ = Form::csv;
  } else if (ends_in(path, ".tsv") || !columns_.label.empty()) {
    form_ = Form::tsv;
  } else if (!columns_.key.empty()) {
    fail(Exit::mismatch, "{}: lines of text have no column '{}'", path, columns_.key);
  }
  if (!columns_.label.empty()) {
    spool_ = open_input(path);
    if (path != "-") spool_ = open_spooled(spool_.get());  // a named pipe
  }
  open();
}

void TextRows::open() {
  const auto bytes = [this] { return spool_ ? file_bytes(spool_.get(), path_) : open_bytes(path_, wanted_); };
  const int64_t most = reading_.max_bytes + kBeside;
  if (form_ == Form::csv) {
    csv_.emplace(bytes(), path_, CsvOptions{.max_row_bytes = most, .utf8 = reading_.encoding == "UTF-8"});
    CsvRow row;
    if (csv_->next(row)) take_header({row.fields.begin(), row.fields.end()});
    return;
  }
  lines_.emplace(bytes(), most);
  if (form_ == Form::tsv) look();
}

// Whether the first line of what is taken for TSV is a header, an object or the first row.
void TextRows::look() {
  first_ = lines_->next(line_, too_long_);
  if (!first_) return;
  if (line_.starts_with('{') && !ends_in(path_, ".tsv")) {
    form_ = Form::json;
  } else {
    first_ = !take_header(split(line_, '\t'));
  }
}

bool TextRows::take_header(const std::vector<std::string>& names) {
  const auto find = [&](const std::string& name) {
    const auto it = std::find(names.begin(), names.end(), name);
    return it == names.end() ? int64_t{-1} : it - names.begin();
  };
  const int64_t text = find(reading_.column), label = find(columns_.label), key = find(columns_.key);
  const bool seen = text >= 0 && (columns_.label.empty() || label >= 0);
  if (!seen && !columns_.named && columns_.key.empty() && form_ == Form::tsv) {
    const bool labelled = !columns_.label.empty() || names.size() == 2;
    names_ = labelled ? std::vector<std::string>{"label", reading_.column} : std::vector{reading_.column};
    label_ = labelled ? 0 : -1;
    text_ = labelled ? 1 : 0;
    return false;
  }
  for (const auto& [at, name] : {std::pair{text, reading_.column}, {label, columns_.label}, {key, columns_.key}}) {
    if (at < 0 && !name.empty()) fail(Exit::mismatch, "{}: its first line names no column '{}'", path_, name);
  }
  names_ = names;
  text_ = text;
  label_ = label;
  key_ = key;
  return true;
}

void TextRows::take_fields(TextRow& row) const {
  if (row.fields.size() != names_.size()) {
    const std::string found =
        fmt::format("has {} field{}, expected {}", row.fields.size(), row.fields.size() == 1 ? "" : "s", names_.size());
    row.fields.resize(names_.size());
    fail(Exit::bad_inputs, "{} ({})", found, fmt::join(names_, ", "));
  }
  row.text = row.fields[static_cast<size_t>(text_)];
  if (label_ >= 0) row.label = row.fields[static_cast<size_t>(label_)];
  if (key_ >= 0) row.key = row.fields[static_cast<size_t>(key_)];
}

void TextRows::parse_json(const std::string& line, TextRow& row) const {
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) fail(Exit::bad_inputs, "is not a JSON object");
  const auto text = object.find(reading_.column);
  if (text == object.end() || !text->is_string()) fail(Exit::bad_inputs, "has no text in '{}'", reading_.column);
  row.text = text->get<std::string>();
  row.fields = {row.text};
  for (const auto& [name, value] : {std::pair{&columns_.label, &row.label}, {&columns_.key, &row.key}}) {
    const auto found = name->empty() ? object.end() : object.find(*name);
    if (found == object.end() || found->is_null()) continue;
    if (!name_of(*found, *value)) fail(Exit::bad_inputs, "its '{}' is neither a text nor a number", *name);
  }
}

void TextRows::rewind() {
  first_ = false;
  open();
}

bool TextRows::next_line(TextRow& row) {
  if (!first_ && !lines_->next(line_, too_long_)) return false;
  first_ = false;
  row = {};
  row.line = lines_->number();
  if (too_long_)
    fail(Exit::bad_inputs, "is longer than {} bytes, the limit for a text", with_commas(reading_.max_bytes));
  std::string line = (*recoder_)(line_);
  if (form_ == Form::json) {
    parse_json(line, row);
  } else if (form_ == Form::tsv) {
    row.fields = split(line, '\t');
    take_fields(row);
  } else {
    row.fields = {line};
    row.text = std::move(line);
  }
  return true;
}

bool TextRows::next_csv(TextRow& row) {
  CsvRow read;
  if (!csv_->next(read)) return false;
  row = {};
  row.line = read.line;
  if (!read.problem.empty()) fail(Exit::bad_inputs, "{}", read.problem);
  for (const std::string_view field : read.fields) row.fields.push_back((*recoder_)(field));
  take_fields(row);
  return true;
}

bool TextRows::next(TextRow& row) {
  try {
    if (!(form_ == Form::csv ? next_csv(row) : next_line(row))) return false;
    check_utf8(row.text);  // JSON can spell a NUL
    check_length(row.text.size(), reading_);
    if (row.text.find_first_not_of(" \t\r\n") == std::string::npos) fail(Exit::bad_inputs, "holds no text");
  } catch (const Error& error) {
    if (error.status() != Exit::bad_inputs) throw;
    row.problem = error.what();
  }
  return true;
}

namespace {

class FileRecords : public LabelledRecords {
 public:
  FileRecords(const std::vector<InputSpec>& files, const TextReading& reading, const TextColumns& columns)
      : files_(files) {
    std::map<std::string, int> times;
    for (const InputSpec& file : files) ++times[base_name(file.path)];
    for (const InputSpec& file : files) {
      rows_.push_back(std::make_unique<TextRows>(file.path, reading, columns));
      const std::string name = base_name(file.path);
      names_.push_back(times[name] > 1 ? file.path : name);
      splits_.push_back(file.split ? file.split : split_of_file(file.path));
    }
  }
  void rewind() override {
    at_ = 0;
    for (const auto& rows : rows_) rows->rewind();
  }
  bool next(LabelledRecord& record) override {
    TextRow row;
    while (at_ < rows_.size() && !rows_[at_]->next(row)) ++at_;
    if (at_ == rows_.size()) return false;
    record = {};
    record.id = fmt::format("{}:{}", names_[at_], row.line);
    record.raw = std::move(row.text);
    record.label = std::move(row.label);
    record.key = std::move(row.key);
    record.split = splits_[at_];
    record.problem = std::move(row.problem);
    return true;
  }

 private:
  std::vector<InputSpec> files_;
  std::vector<std::unique_ptr<TextRows>> rows_;
  std::vector<std::string> names_;
  std::vector<std::optional<Split>> splits_;
  size_t at_ = 0;
};

}  // namespace

std::unique_ptr<LabelledRecords> text_file_records(const std::vector<InputSpec>& files, const TextReading& reading,
                                                   const TextColumns& columns) {
  return std::make_unique<FileRecords>(files, reading, columns);
}

}  // namespace lepton
