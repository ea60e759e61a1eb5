#pragma once
// Where the answers of lepton-infer go: standard output as they come, or a file that appears whole.
#include <mutex>
#include <optional>
#include <string>

#include "lepton-infer-options.h"
#include "predict/answer_file.h"
#include "predict/format.h"

namespace lepton {

class Output {
 public:
  // The values of an answer are those of `node`, `width` of them.
  Output(const InferCommand& command, const Predictor& predictor, NodeId node, int64_t width);
  void add(const Answer& answer);
  void finish();
  // The columns that answers from now on carry (--pass-through). Error(mismatch) if those before had others. May be
  // called from another thread than the rest, before the first such answer.
  void set_columns(const std::string& file, const std::vector<std::string>& columns);

 private:
  void write(const std::string& line);

  void begin();

  AnswerStyle style_;
  bool header_ = false;  // still to be written
  std::mutex mutex_;     // of style_.columns
  std::optional<AnswerFile> hdf5_;
  std::optional<LineFile> file_;
};

// Error(usage) if this input is the output too. To be asked of every input before the answers are finished.
void keep_apart(const InferCommand& command, const std::string& input);

}  // namespace lepton
