#include "data/text_records.h"

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

TextRows::TextRows(const std::string& path, const TextReading& reading, const std::optional<TextLabels>& labels)
    : path_(path),
      reading_(reading),
      labels_(labels),
      lines_(path, reading.max_bytes + kBeside, !labels),
      recoder_(std::make_unique<Recoder>(reading.encoding, true)) {
  if (is_json(path)) {
    form_ = Form::json;
  } else if (ends_in(path, ".tsv") || labels) {
    form_ = Form::tsv;
  }
  if (form_ == Form::lines) return;
  std::string line;
  bool too_long = false;
  if (form_ == Form::tsv && !ends_in(path, ".tsv")) {
    if (lines_.next(line, too_long) && line.starts_with('{')) form_ = Form::json;
    lines_.rewind();
  }
  rewind();
}

void TextRows::rewind() {
  lines_.rewind();
  if (form_ != Form::tsv) return;
  std::string line;
  bool too_long = false;
  if (!lines_.next(line, too_long) || !take_header(line)) lines_.rewind();
}

// Whether the first line of a TSV file names its columns, and which these are.
bool TextRows::take_header(const std::string& line) {
  std::vector<std::string> names = split(line, '\t');
  const auto find = [&](const std::string& name) {
    const auto it = std::find(names.begin(), names.end(), name);
    return name.empty() || it == names.end() ? int64_t{-1} : it - names.begin();
  };
  text_ = find(reading_.column);
  label_ = labels_ ? find(labels_->label) : -1;
  key_ = labels_ ? find(labels_->key) : -1;
  const bool named = labels_ && labels_->named;
  if (!named && (text_ < 0 || (labels_ && label_ < 0))) return false;
  for (const auto& [at, name] : {std::pair{text_, reading_.column},
                                 {labels_ ? label_ : 0, labels_ ? labels_->label : ""},
                                 {labels_ && !labels_->key.empty() ? key_ : 0, labels_ ? labels_->key : ""}}) {
    if (at < 0) fail(Exit::mismatch, "{}: its first line names no column '{}'", path_, name);
  }
  columns_ = std::ssize(names);
  return true;
}

void TextRows::parse_tsv(const std::string& line, TextRow& row) const {
  const std::vector<std::string> fields = split(line, '\t');
  const int64_t expected = columns_ > 0 ? columns_ : 2;
  if (!labels_ && columns_ == 0 && fields.size() == 1) {
    row.text = fields[0];
  } else if (std::ssize(fields) != expected) {
    row.problem = fmt::format("has {} field{}, expected {}{}", fields.size(), fields.size() == 1 ? "" : "s", expected,
                              columns_ > 0 ? "" : " (label, tab, text)");
  } else if (columns_ == 0) {
    row.label = fields[0];
    row.text = fields[1];
  } else {
    row.text = fields[static_cast<size_t>(text_)];
    if (label_ >= 0) row.label = fields[static_cast<size_t>(label_)];
    if (key_ >= 0) row.key = fields[static_cast<size_t>(key_)];
  }
}

void TextRows::parse_json(const std::string& line, TextRow& row) const {
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) {
    row.problem = "is not a JSON object";
  } else if (!object.contains(reading_.column) || !object[reading_.column].is_string()) {
    row.problem = fmt::format("has no text in '{}'", reading_.column);
  } else {
    row.text = object[reading_.column].get<std::string>();
    if (!labels_) return;
    const auto label = object.find(labels_->label);
    if (label != object.end() && !label->is_null() && !name_of(*label, row.label))
      row.problem = fmt::format("its '{}' is neither a text nor a number", labels_->label);
    if (labels_->key.empty()) return;
    if (!object.contains(labels_->key) || !name_of(object[labels_->key], row.key))
      row.problem = fmt::format("has no '{}', which --split-key names", labels_->key);
  }
}

void TextRows::parse(const std::string& line, TextRow& row) const {
  switch (form_) {
    case Form::lines:
      row.text = line;
      return;
    case Form::tsv:
      return parse_tsv(line, row);
    case Form::json:
      return parse_json(line, row);
  }
}

bool TextRows::next(TextRow& row) {
  std::string line;
  bool too_long = false;
  if (!lines_.next(line, too_long)) return false;
  row = {};
  row.line = lines_.number();
  try {
    if (too_long) {
      fail(Exit::bad_inputs, "is longer than {} bytes, the limit for a text", with_commas(reading_.max_bytes));
    }
    line = (*recoder_)(line);
    parse(line, row);
    check_utf8(row.text);  // JSON can spell a NUL
  } catch (const Error& error) {
    if (error.status() != Exit::bad_inputs) throw;
    row.problem = error.what();
  }
  return true;
}

namespace {

class FileRecords : public LabelledRecords {
 public:
  FileRecords(const std::vector<InputSpec>& files, const TextReading& reading, const TextLabels& labels)
      : files_(files) {
    std::map<std::string, int> times;
    for (const InputSpec& file : files) ++times[base_name(file.path)];
    for (const InputSpec& file : files) {
      rows_.push_back(std::make_unique<TextRows>(file.path, reading, labels));
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
                                                   const TextLabels& labels) {
  return std::make_unique<FileRecords>(files, reading, labels);
}

}  // namespace lepton
