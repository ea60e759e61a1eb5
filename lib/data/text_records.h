#pragma once
// Texts with their labels from files of lines, TSV, JSON lines and CSV, and from folders of documents.
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
  std::string problem;  // why it cannot be used; empty = fine
};

// Columns and fields that stand beside the text.
struct TextLabels {
  std::string label = "label";
  std::string key;     // of --split-key; "" = none
  bool named = false;  // a TSV file has a header even if that cannot be seen
};

// The rows of one file in its own form, by the end of its name: .tsv (label, tab, text; or a header that names
// columns), .jsonl, .ndjson or .json (an object a line), with labels also .csv; else lines of text. With `labels`,
// other names and standard input are JSON lines where they begin with "{", and TSV otherwise.
class TextRows {
 public:
  TextRows(const std::string& path, const TextReading& reading, const std::optional<TextLabels>& labels);
  void rewind();
  bool next(TextRow& row);  // false at the end

 private:
  enum class Form { lines, tsv, json };
  void parse(const std::string& line, TextRow& row) const;
  void parse_tsv(const std::string& line, TextRow& row) const;
  void parse_json(const std::string& line, TextRow& row) const;
  bool take_header(const std::string& line);

  std::string path_;
  TextReading reading_;
  std::optional<TextLabels> labels_;
  LineReader lines_;
  std::unique_ptr<Recoder> recoder_;
  Form form_ = Form::lines;
  // TSV: columns of text, label and key; -1 = none. `columns_` 0: no header.
  int64_t columns_ = 0, text_ = -1, label_ = -1, key_ = -1;
};

// Every row of several files, in order, by "FILE:LINE".
std::unique_ptr<LabelledRecords> text_file_records(const std::vector<InputSpec>& files, const TextReading& reading,
                                                   const TextLabels& labels);

// Documents of sources of class folders; split keys are what options.split_key matches in their names.
std::unique_ptr<LabelledRecords> document_records(std::vector<std::unique_ptr<Source>> sources,
                                                  const PrepOptions& options);

}  // namespace lepton
