#include "lepton-infer-output.h"

#include <filesystem>
#include <utility>

#include "cli/cli.h"

namespace lepton {

Output::Output(const InferCommand& command, const Predictor& predictor, NodeId node, int64_t width) {
  style_.decision = decision_of(predictor.model, command.threshold, command.positive);
  if (command.format == "h5") {
    hdf5_.emplace(command.output, predictor, node, command.embed, style_.decision);
    return;
  }
  style_.format = command.format == "csv"     ? AnswerFormat::csv
                  : command.format == "jsonl" ? AnswerFormat::jsonl
                                              : AnswerFormat::tsv;
  style_.classes = predictor.model.classes;
  style_.top = command.top;
  style_.probs = command.probs;
  style_.embedding = !command.embed.empty();
  style_.width = width;
  if (command.output != "-") file_.emplace(command.output);
  style_.numbers = predictor.regression() && !style_.embedding;
  header_ = command.header;
  if (!command.pass_through) begin();  // else once the columns are known
}

void Output::write(const std::string& line) { file_ ? file_->write(line) : print(line); }

void Output::begin() {
  if (std::exchange(header_, false)) write(answer_header(style_));
}

void Output::set_columns(const std::string& file, const std::vector<std::string>& columns) {
  const std::lock_guard lock(mutex_);
  if (!style_.columns.empty() && style_.columns != columns) {
    fail(Exit::mismatch, "--pass-through: {} has other columns than the input before it", file);
  }
  style_.columns = columns;
}

void Output::add(const Answer& answer) {
  if (hdf5_) return hdf5_->add(answer);
  const std::lock_guard lock(mutex_);
  begin();
  write(answer_line(style_, answer));
}

void Output::finish() {
  if (hdf5_) return hdf5_->finish();
  begin();
  if (file_) file_->finish();
}

void keep_apart(const InferCommand& command, const std::string& input) {
  std::error_code missing;
  if (command.output == "-" || !std::filesystem::is_regular_file(command.output, missing)) return;
  if (!std::filesystem::equivalent(command.output, input, missing)) return;
  fail(Exit::usage, "-o {}: is an input too and would be overwritten", command.output);
}

}  // namespace lepton
