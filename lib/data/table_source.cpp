#include "data/table_source.h"

#include <algorithm>
#include <limits>
#include <set>
#include <unordered_set>

#include "base/error.h"
#include "base/text.h"
#include "data/recipe_table.h"
#include "data/source_kinds.h"
#include "data/table_reader.h"
#include "io/gzip.h"

namespace lepton {
namespace {

constexpr size_t kHead = size_t{1} << 20;  // bytes looked at for delimiter and header
constexpr size_t kRowsSeen = 100;
constexpr size_t kMostIntegerClasses = 20;
constexpr size_t kMostClasses = 10'000;

std::string_view text_of(const std::vector<uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::string joined(const std::vector<std::string_view>& fields, const std::vector<size_t>& place) {
  std::string raw;
  for (size_t c = 0; c < place.size(); ++c) {
    if (c > 0) raw += kFieldEnd;
    if (place[c] != kNoPlace) raw += trimmed(fields[place[c]]);
  }
  return raw;
}

}  // namespace

bool looks_like_table(std::string_view head, bool whole) {
  if (head.find('\0') != std::string_view::npos) return false;
  const char delimiter = detect_delimiter(head, whole);
  const auto rows = first_rows(head, whole, delimiter, kRowsSeen);
  return rows.size() > 1 && rows[0].size() > 1 && has_header(rows);
}

TableSource::TableSource(const std::vector<InputSpec>& inputs, const TableSourceOptions& options,
                         const PrepHooks& hooks)
    : options_(options) {
  for (const InputSpec& input : inputs) open(input);
  if (files_.empty()) fail(Exit::no_input, "the list of inputs is empty");
  settle_columns();
  for (File& file : files_) match(file);
  if (label_guessed_) hooks.note(fmt::format("the label is the last column, '{}' (--label names another)", label_));
  read_labels(hooks);
}

void TableSource::open(const InputSpec& input) {
  File& file = files_.emplace_back();
  file.path = input.path;
  file.split = input.split ? input.split : split_of_file(input.path);
  file.fd = open_input(input.path);
  const std::vector<uint8_t> head = peek(file.fd, kHead, input.path);
  if (head.empty()) fail(Exit::no_input, "{}: is empty", input.path);
  const bool whole = head.size() < kHead;
  CsvReader(memory_bytes(text_of(head)), input.path, {}).peek_line(1);  // refuses UTF-16
  file.delimiter = detect_delimiter(text_of(head), whole);
  const auto rows = first_rows(text_of(head), whole, file.delimiter, kRowsSeen);
  if (rows.empty()) fail(Exit::no_input, "{}: holds no row that can be read", input.path);
  const std::vector<std::string> first(rows[0].begin(), rows[0].end());
  const bool ours = options_.recipe != nullptr && count_columns(*options_.recipe, first) > 0;
  file.header = options_.header == HeaderRow::yes || (options_.header == HeaderRow::find && (ours || has_header(rows)));
  for (size_t i = 0; i < rows[0].size(); ++i) {
    file.names.push_back(file.header ? std::string(trimmed(rows[0][i])) : fmt::format("c{}", i + 1));
  }
  // Names of rows tell the file, and the folder only where it must.
  file.name = base_name(input.path);
  for (File& other : files_) {
    if (&other == &file || base_name(other.path) != file.name) continue;
    file.name = file.path;
    other.name = other.path;
  }
}

// Where --label says nothing: a usual name, else the last column; of those a known recipe does not use.
std::string TableSource::choose_label(const std::vector<std::string>& names) const {
  std::vector<std::string> free;
  for (const std::string& name : names) {
    const bool used =
        options_.recipe != nullptr && std::any_of(options_.recipe->columns.begin(), options_.recipe->columns.end(),
                                                  [&](const TableColumn& column) { return column.name == name; });
    if (!used) free.push_back(name);
  }
  if (std::find(free.begin(), free.end(), options_.target) != free.end()) return options_.target;
  for (const char* usual : {"label", "target", "class"}) {
    for (const std::string& name : free) {
      if (lower(name) == usual) return name;
    }
  }
  return free.empty() ? "" : free.back();
}

// Label and columns by the first file.
void TableSource::settle_columns() {
  const File& first = files_[0];
  const auto has = [&](const std::string& name) {
    return std::find(first.names.begin(), first.names.end(), name) != first.names.end();
  };
  for (const auto& [option, name] :
       {std::pair{"--label", options_.label}, {"--id", options_.id}, {"--split-key", options_.split_key}}) {
    if (name.empty() || has(name)) continue;
    const std::string near = nearest(name, first.names);
    fail(Exit::usage, "{} {}: {} has no such column{}; it has {}", option, name, first.path,
         near.empty() ? "" : ", is it '" + near + "'?", some_names(first.names));
  }
  label_ = options_.label;
  if (label_.empty()) {
    label_ = choose_label(first.names);
    if (label_.empty()) {
      fail(Exit::mismatch, "{}: has no column of labels: all are inputs of the recipe; --label names one", first.path);
    }
    const std::string name = lower(label_);
    label_guessed_ = name != "label" && name != "target" && name != "class" && label_ != options_.target;
  }
  std::set<std::string> seen;
  for (const std::string& name : first.names) {
    if (!name.empty() && !seen.insert(name).second) fail(Exit::usage, "{}: has two columns '{}'", first.path, name);
    const bool input = name != label_ && name != options_.id && name != options_.split_key;
    if (input && options_.recipe == nullptr) columns_.push_back(name);
  }
  if (options_.recipe != nullptr) {
    for (const TableColumn& column : options_.recipe->columns) {
      if (column.name == label_ && column.width > 0) fail(Exit::usage, "--label {}: is an input of the recipe", label_);
      columns_.push_back(column.name);
    }
  }
  if (columns_.empty()) {
    fail(Exit::no_input, "{}: has no column besides the label '{}' (fields parted by {}): nothing to learn from",
         first.path, label_, delimiter_name(first.delimiter));
  }
}

void TableSource::match(File& file) {
  const File& first = files_[0];
  if (!file.header) {
    if (&file != &first && file.names.size() != first.names.size()) {
      fail(Exit::mismatch, "{}: has no header and {} fields a row, {} has {}", file.path, file.names.size(), first.path,
           first.names.size());
    }
    file.names = first.names;
  }
  const auto place = [&](const std::string& name) {
    const auto at = std::find(file.names.begin(), file.names.end(), name);
    if (at == file.names.end())
      fail(Exit::mismatch, "{}: lacks the column '{}' that {} has", file.path, name, first.path);
    return static_cast<size_t>(at - file.names.begin());
  };
  if (options_.recipe != nullptr) file.place = match_columns(*options_.recipe, file.names, file.path);
  for (const std::string& name : options_.recipe != nullptr ? std::vector<std::string>{} : columns_) {
    const bool out = std::find(options_.left_out.begin(), options_.left_out.end(), name) != options_.left_out.end();
    file.place.push_back(out || name.empty() ? kNoPlace : place(name));
  }
  file.label = place(label_);
  if (!options_.id.empty()) file.id = place(options_.id);
  if (!options_.split_key.empty()) file.key = place(options_.split_key);
}

void TableSource::rewind() {
  file_ = 0;
  csv_.reset();
}

bool TableSource::next(LabelledRecord& record) {
  for (; file_ < files_.size(); ++file_, csv_.reset()) {
    const File& file = files_[file_];
    if (!csv_) {
      csv_ = std::make_unique<CsvReader>(file_bytes(file.fd.get(), file.path), file.path,
                                         CsvOptions{.delimiter = file.delimiter});
      if (file.header) csv_->next(row_);
    }
    if (!csv_->next(row_)) continue;
    fill(record, file);
    return true;
  }
  return false;
}

void TableSource::fill(LabelledRecord& record, const File& file) {
  record.id = fmt::format("{}:{}", file.name, row_.line);
  record.split = file.split;
  record.problem = row_.problem;
  if (!record.problem.empty()) return;
  if (row_.fields.size() != file.names.size()) {
    record.problem = fmt::format("has {} fields, expected {}", row_.fields.size(), file.names.size());
    return;
  }
  if (file.id != kNoPlace) record.id = trimmed(row_.fields[file.id]);
  if (file.key != kNoPlace) record.key = trimmed(row_.fields[file.key]);
  const std::string_view label = trimmed(row_.fields[file.label]);
  if (means_missing(label, options_.missing)) {
    record.problem = fmt::format("has no label in column '{}'", label_);
    return;
  }
  record.raw = joined(row_.fields, file.place);
  if (!regression_) {
    record.label = label;
    return;
  }
  const auto number = table_number(label);
  if (!number) record.problem = fmt::format("column '{}' holds '{}', which is no number to learn", label_, label);
  record.targets = {number.value_or(std::numeric_limits<float>::quiet_NaN())};
}

// Decides between classes and numbers, and sees that names of rows are not given twice.
void TableSource::read_labels(const PrepHooks& hooks) {
  std::set<std::string> levels;
  std::unordered_set<uint64_t> ids;
  bool numbers = true, integers = true;
  int64_t rows = 0;
  regression_ = false;
  rewind();
  for (LabelledRecord record; record = {}, next(record);) {
    if (!record.problem.empty()) continue;
    ++rows;
    numbers = numbers && table_number(record.label);
    integers = integers && parse_int(record.label);
    if (levels.size() <= kMostClasses) levels.insert(record.label);
    if (options_.id.empty()) continue;
    const std::span<const uint8_t> id(reinterpret_cast<const uint8_t*>(record.id.data()), record.id.size());
    if (!ids.insert(salted_hash(0, id)).second) {
      fail(Exit::usage, "--id {}: '{}' names two rows, the second in {}, line {}", options_.id, record.id,
           files_[file_].path, row_.line);
    }
  }
  const bool many = levels.size() > kMostIntegerClasses;
  regression_ = options_.regression.value_or(rows > 0 && numbers && (many || !integers));
  if (!options_.regression) {
    hooks.detail(fmt::format("column '{}' holds {}: {} (--task decides otherwise)", label_,
                             !numbers      ? "texts"
                             : regression_ ? "numbers"
                                           : fmt::format("{} whole numbers", levels.size()),
                             regression_ ? "regression" : "classification"));
  }
  if (!regression_ && levels.size() > kMostClasses) {
    fail(Exit::usage, "column '{}' holds more than {} different labels: name the label's column with --label", label_,
         with_commas(kMostClasses));
  }
}

}  // namespace lepton
