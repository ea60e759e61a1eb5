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
#include "io/lines.h"

namespace lepton {

struct TextRow {
  int64_t line = 0;
  std::string text, label, key;
  std::vector<std::string> fields;  // of TSV, as they stand there; else the text
  std::string problem;              // why it cannot be used; empty = fine
};

// Columns and fields that stand beside the text; "" = not looked for.
struct TextColumns {
  std::string label, key;
  bool named = false;  // a TSV file has a header even if that cannot be seen
};

// The rows of one file in its own form, by the end of its name: .tsv (label, tab, text; or a header that names
// columns), .jsonl, .ndjson or .json (an object a line); else lines of text. Where labels are looked for, other names
// and standard input are JSON lines if they begin with "{", and TSV otherwise. Error(mismatch) for a header without a
// column looked for.
class TextRows {
 public:
  TextRows(const std::string& path, const TextReading& reading, TextColumns columns,
           std::function<bool()> wanted = {});                      // of a live pipe, see LineReader
  void rewind();                                                    // not without labels
  bool next(TextRow& row);                                          // false at the end
  const std::vector<std::string>& names() const { return names_; }  // of TextRow::fields

 private:
  enum class Form { lines, tsv, json };
  void parse(const std::string& line, TextRow& row) const;
  void parse_tsv(const std::string& line, TextRow& row) const;
  void parse_json(const std::string& line, TextRow& row) const;
  void look();
  bool take_header(const std::string& line);

  std::string path_;
  TextReading reading_;
  TextColumns columns_;
  LineReader lines_;
  std::unique_ptr<Recoder> recoder_;
  Form form_ = Form::lines;
  std::vector<std::string> names_;
  int64_t text_ = -1, label_ = -1, key_ = -1;  // columns of TSV, -1 = none
};

// Every row of several files, in order, by "FILE:LINE".
std::unique_ptr<LabelledRecords> text_file_records(const std::vector<InputSpec>& files, const TextReading& reading,
                                                   const TextColumns& columns);

// Documents of sources of class folders; split keys are what options.split_key matches in their names.
std::unique_ptr<LabelledRecords> document_records(std::vector<std::unique_ptr<Source>> sources,
                                                  const PrepOptions& options);

}  // namespace lepton
