#pragma once
// Inputs to predictions in order: names are decoded on threads of their own while the engine works, and what waits is
// answered after at most `max_latency`.
#include <functional>
#include <string>
#include <vector>

#include "predict/predictor.h"

namespace lepton {

// What became of one input: values of the wanted node, or an error.
struct Answer {
  std::string input;
  std::vector<float> values;
  std::string error;  // empty = fine
};

struct StreamOptions {
  int64_t batch = 32;         // most inputs in one call of the engine
  double max_latency = 0.02;  // seconds an input may wait for company
  int decoders = 2;           // threads that decode
  std::string device = "auto";
  int threads = 0;
};

// `produce` calls its argument with each input's name, in order, until there are no more or it returns false; it runs
// on a thread of its own. "-" is standard input. `answer` is called in the same order on the calling thread, `pause`
// whenever nothing more is ready: the moment to flush. Memory is bounded however many inputs there are.
void predict_stream(const Predictor& predictor, NodeId node, const StreamOptions& options,
                    const std::function<void(const std::function<bool(const std::string&)>&)>& produce,
                    const std::function<void(const Answer&)>& answer, const std::function<void()>& pause);

// One input, on the calling thread.
Answer predict_one(const Predictor& predictor, Engine& engine, NodeId node, const std::string& input);

}  // namespace lepton
