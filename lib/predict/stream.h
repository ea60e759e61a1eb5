#pragma once
// Inputs to predictions in order: files are decoded on threads of their own while the engine works.
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "predict/answerer.h"

namespace lepton {

// What became of one input: values of the wanted node, or an error.
struct Answer {
  std::string input;
  std::vector<float> values;
  std::string error;                  // empty = fine
  bool lost_colour = false;           // turned gray without having been asked to
  bool resampled = false;             // a recording brought to another rate
  bool cut = false;                   // a text longer than a sample, whose end was left out
  std::vector<std::string> fields{};  // of the record, if StreamOptions::records asks for them
};

struct StreamOptions {
  double max_latency = 0.02;  // seconds a decoded input may wait for those already being decoded
  int decoders = 2;           // threads that decode
  RecordOptions records{};    // but `wanted`, which the stream sets
  // Told the names of Answer::fields of each file of records, before its first answer, on another thread.
  std::function<void(const std::string& file, const std::vector<std::string>& columns)> on_columns{};
};

// Where a producer puts names of inputs: files, or files of records if the recipe is one of records.
struct NameSink {
  std::function<bool(const std::string&)> push;  // waits for room; false: no more are wanted
  std::function<bool()> wanted;                  // to be asked while waiting for a name
};

// `produce` is called on a thread of its own and pushes each input's name, in order; "-" is standard input.
// On the calling thread `answer` is called in the same order, and `pause` after each group of answers: the moment to
// flush. Memory is bounded however many inputs there are.
void predict_stream(const Predictor& predictor, Answerer& answerer, const StreamOptions& options,
                    const std::function<void(const NameSink&)>& produce,
                    const std::function<void(const Answer&)>& answer, const std::function<void()>& pause);

// The samples of a split, in order, by their ids.
void predict_split(Answerer& answerer, const SplitData& split, const std::function<void(const Answer&)>& answer,
                   const std::function<void()>& pause);

// Raw bytes of an input file; "-" is standard input.
std::vector<uint8_t> read_input(const std::string& input);

}  // namespace lepton
