#include "data/table_reader.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "data/dates.h"

namespace lepton {
namespace {

constexpr size_t kFirstLine = size_t{1} << 22;  // bytes looked at for the header
constexpr size_t kNamesShown = 5;

// A first row that is no header of ours but no row of data either: texts in every column of numbers or dates.
bool looks_foreign(const TableRecipe& recipe, const std::vector<std::string>& fields) {
  bool any = false;
  for (size_t c = 0; c < recipe.columns.size(); ++c) {
    const ColumnType type = recipe.columns[c].type;
    if (type != ColumnType::number && type != ColumnType::date) continue;
    if (table_number(fields[c]) || means_missing(fields[c], recipe.missing) || parse_date(fields[c])) return false;
    any = true;
  }
  return any;
}

}  // namespace

size_t count_columns(const TableRecipe& recipe, const std::vector<std::string>& names) {
  return static_cast<size_t>(
      std::count_if(recipe.columns.begin(), recipe.columns.end(), [&](const TableColumn& column) {
        return column.width > 0 && std::find(names.begin(), names.end(), column.name) != names.end();
      }));
}

std::vector<size_t> match_columns(const TableRecipe& recipe, const std::vector<std::string>& header,
                                  const std::string& path) {
  std::vector<std::string> absent, twice;
  std::vector<size_t> place;
  for (const TableColumn& column : recipe.columns) {
    const auto at = std::find(header.begin(), header.end(), column.name);
    if (at == header.end() && column.width > 0) absent.push_back(column.name);
    if (column.width > 0 && std::count(header.begin(), header.end(), column.name) > 1) twice.push_back(column.name);
    place.push_back(column.width == 0 ? kNoPlace : static_cast<size_t>(at - header.begin()));
  }
  if (!absent.empty()) {
    const std::string near = nearest(absent[0], header);
    fail(Exit::mismatch, "{}: lacks the column{} {}, which the model was trained with{}", path,
         absent.size() == 1 ? "" : "s", some_names(absent),
         near.empty() || absent.size() > 1 ? "" : "; is it '" + near + "'?");
  }
  if (!twice.empty()) fail(Exit::mismatch, "{}: has the column {} more than once", path, some_names(twice));
  return place;
}

std::vector<std::string> header_names(const CsvRow& row) {
  std::vector<std::string> names;
  names.reserve(row.fields.size());
  for (const std::string_view field : row.fields) names.emplace_back(trimmed(field));
  return names;
}

std::string some_names(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamesShown); ++i) text += (i > 0 ? ", '" : "'") + names[i] + "'";
  if (names.size() > kNamesShown)
    text += fmt::format(" and {} more", with_commas(std::ssize(names) - static_cast<int64_t>(kNamesShown)));
  return text;
}

TableReader::TableReader(const TableRecipe& recipe, const std::string& path, const RecordOptions& options)
    : recipe_(recipe), path_(path), options_(options), csv_(open_bytes(path, options.wanted), path, {}) {}

// The delimiter that finds most of the recipe's columns in the first line, or cuts it into as many fields.
void TableReader::choose_delimiter() {
  const std::string_view line = csv_.peek_line(kFirstLine);
  size_t best = 0;
  for (const char delimiter : {',', '\t', ';', '|'}) {
    CsvReader reader(memory_bytes(line), path_, {.delimiter = delimiter, .utf8 = false});
    CsvRow row;
    if (!reader.next(row)) return;
    const size_t found = 2 * count_columns(recipe_, header_names(row)) + (row.fields.size() == recipe_.columns.size());
    if (found <= best) continue;
    best = found;
    csv_.set_delimiter(delimiter);
  }
}

void TableReader::match_header(const std::vector<std::string>& header) {
  header_ = header;
  place_ = match_columns(recipe_, header, path_);
  std::vector<std::string> extra;
  for (const std::string& name : header) {
    const bool used = std::any_of(recipe_.columns.begin(), recipe_.columns.end(),
                                  [&](const TableColumn& c) { return c.width > 0 && c.name == name; });
    if (!used && name != options_.id) extra.push_back(name);
  }
  if (!extra.empty()) options_.detail(fmt::format("{}: columns not used: {}", path_, some_names(extra)));
}

// Without a header: columns as in training.
void TableReader::take_order(size_t fields) {
  if (fields != recipe_.columns.size()) {
    std::vector<std::string> wanted;
    for (const TableColumn& column : recipe_.columns) {
      if (column.width > 0) wanted.push_back(column.name);
    }
    fail(Exit::mismatch,
         "{}: its first line names none of the columns {}, nor has it {} fields as rows without a header "
         "must have: it has {}",
         path_, some_names(wanted), recipe_.columns.size(), fields);
  }
  options_.detail(fmt::format("{}: no header: columns are taken in the order of the training data", path_));
  header_.clear();
  for (size_t c = 0; c < recipe_.columns.size(); ++c) {
    place_.push_back(recipe_.columns[c].width > 0 ? c : kNoPlace);
    header_.push_back(recipe_.columns[c].name);
  }
}

void TableReader::begin() {
  begun_ = true;
  choose_delimiter();
  if (!csv_.next(row_)) return;
  if (!row_.problem.empty()) fail(Exit::mismatch, "{}:{}: the header {}", path_, row_.line, row_.problem);
  const std::vector<std::string> names = header_names(row_);
  const bool ours = count_columns(recipe_, names) > 0;
  if (ours || (names.size() == recipe_.columns.size() && looks_foreign(recipe_, names))) {
    match_header(names);
  } else {
    take_order(names.size());
    waiting_ = true;
  }
  if (options_.id.empty()) return;
  const auto at = std::find(header_.begin(), header_.end(), options_.id);
  if (at == header_.end()) fail(Exit::usage, "--id {}: {} has no such column", options_.id, path_);
  id_ = static_cast<size_t>(at - header_.begin());
}

bool TableReader::next(Record& record) {
  if (!begun_) begin();
  if (!std::exchange(waiting_, false) && !csv_.next(row_)) return false;
  record = {};
  record.id = fmt::format("{}:{}", path_, row_.line);
  record.problem = row_.problem;
  if (!record.problem.empty()) return true;
  if (row_.fields.size() != header_.size()) {
    record.problem = fmt::format("has {} fields, expected {}", row_.fields.size(), header_.size());
    return true;
  }
  if (id_ != kNoPlace) record.id = trimmed(row_.fields[id_]);
  if (options_.fields) record.fields.assign(row_.fields.begin(), row_.fields.end());
  for (size_t c = 0; c < place_.size(); ++c) {
    if (c > 0) record.raw += kFieldEnd;
    if (place_[c] != kNoPlace) record.raw += row_.fields[place_[c]];
  }
  return true;
}

std::unique_ptr<RecordReader> TableRecipe::records(const std::string& path, const RecordOptions& options) const {
  return std::make_unique<TableReader>(*this, path, options);
}

}  // namespace lepton
