#pragma once
// Answers as files that appear whole or not at all: lines of text, or HDF5.
#include <memory>
#include <string>

#include "io/files.h"
#include "predict/decision.h"
#include "predict/stream.h"

namespace lepton {

// Lines gathered beside the target.
class LineFile {
 public:
  explicit LineFile(const std::string& target) : file_(target) {}
  void write(const std::string& lines);
  void finish();

 private:
  void flush();

  AtomicFile file_;
  FileDescriptor out_;
  std::string waiting_;
};

// HDF5 as in lepton-formats(5): a row for each input, in order. Memory does not grow with their number.
class AnswerFile {
 public:
  // Rows are probabilities of the model's classes, or numbers for its targets, or, with a layer's name, values of that
  // layer. "-" is standard output, never a terminal (usage). A label that is undecided is -1.
  AnswerFile(const std::string& target, const Predictor& predictor, NodeId node, const std::string& layer,
             const Decision& decision = {});
  ~AnswerFile();
  void add(const Answer& answer);
  void finish();  // without it the target stays as it was

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lepton
