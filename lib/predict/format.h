#pragma once
// Answers as text: rows of TSV or CSV, or an object a line.
#include <string>
#include <vector>

#include "predict/decision.h"
#include "predict/stream.h"

namespace lepton {

enum class AnswerFormat { tsv, csv, jsonl };

struct AnswerStyle {
  AnswerFormat format = AnswerFormat::tsv;
  std::vector<std::string> classes;
  Decision decision;                 // which label goes first; undecided: an empty one
  int64_t top = 1;                   // labels a row, best first
  bool probs = false;                // the probability of every class behind them
  bool embedding = false;            // the values themselves instead
  bool numbers = false;              // regression: the value of each of `classes`, which are targets
  std::vector<std::string> columns;  // of Answer::fields, which follow what is predicted
  int64_t width = 0;                 // values an embedding has
};

// Digits printed of probabilities and values: those that hold whatever device and thread count.
constexpr int kAnswerDigits = 6;

// The header line of TSV and CSV; empty for JSON.
std::string answer_header(const AnswerStyle& style);
// One line. Columns: input, label, score, further labels and scores, probabilities; or input and the values of an
// embedding, or of the targets; then those of the input. An error is input, two empty fields and the message; in JSON,
// input and error. Values are logits, or the
// embedding.
std::string answer_line(const AnswerStyle& style, const Answer& answer);

}  // namespace lepton
