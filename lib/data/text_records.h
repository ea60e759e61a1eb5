#pragma once
// Texts with their labels from files of lines, TSV, JSON lines and CSV, and from folders of documents.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/prep_rows.h"
#include "data/recipe_text.h"
#include "data/source.h"
#include "io/csv.h"
#include "io/files.h"
#include "io/lines.h"

namespace lepton {

struct TextRow {
  int64_t line = 0;
  std::string text, label, key;
  std::vector<std::string> fields;  // of TSV and CSV, as they stand there; else the text
  std::string problem;              // why it cannot be used; empty = fine
};

// Columns and fields that stand beside the text; "" = not looked for.
struct TextColumns {
  std::string label, key;
  bool named = false;  // TSV has a header even if that cannot be seen
};

// The rows of one file in its own form, by the end of its name: .tsv (label, tab, text; or a header that names
// columns), .jsonl, .ndjson or .json (an object a line), .csv (RFC 4180 with a header); else lines of text. Where
// labels are looked for, other names and standard input are JSON lines if they begin with "{", and TSV otherwise.
// Error(mismatch) for a header without a column looked for.
class TextRows {
 public:
  TextRows(
      const std::string& path, const TextReading& reading, TextColumns columns,
      std::function<bool()> wanted = [] { return true; });          // of a live pipe, see LineReader
  void rewind();                                                    // not without labels
  bool next(TextRow& row);                                          // false at the end
  const std::vector<std::string>& names() const { return names_; }  // of TextRow::fields

 private:
  enum class Form { lines, tsv, csv, json };
  void open();
  bool next_line(TextRow& row);
  bool next_csv(TextRow& row);
  void take_fields(TextRow& row) const;
  void parse_json(const std::string& line, TextRow& row) const;
  void look();
  bool take_header(const std::vector<std::string>& names);

  std::string path_;
  TextReading reading_;
  TextColumns columns_;
  std::function<bool()> wanted_;
  FileDescriptor spool_;  // where labels are looked for: the file, to be read again
  std::optional<LineReader> lines_;
  std::optional<CsvReader> csv_;
  std::unique_ptr<Recoder> recoder_;
  std::string line_;                       // read last
  bool too_long_ = false, first_ = false;  // first_: line_ is yet to be handed out
  Form form_ = Form::lines;
  std::vector<std::string> names_;
  int64_t text_ = -1, label_ = -1, key_ = -1;  // columns, -1 = none
};

// Every row of several files, in order, by "FILE:LINE".
std::unique_ptr<LabelledRecords> text_file_records(const std::vector<InputSpec>& files, const TextReading& reading,
                                                   const TextColumns& columns);

// Documents of sources, labelled by class folders, or by options.labels or options.label_regex; split keys are what
// options.split_key matches in their names. `warn` is told of labels that name no document.
std::unique_ptr<LabelledRecords> document_records(std::vector<std::unique_ptr<Source>> sources,
                                                  const PrepOptions& options,
                                                  const std::function<void(const std::string&)>& warn);

}  // namespace lepton
