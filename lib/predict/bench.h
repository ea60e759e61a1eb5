#pragma once
// How fast a model answers, without reading and decoding.
#include <string>
#include <vector>

#include "predict/predictor.h"

namespace lepton {

struct BenchResult {
  double p50_ms = 0, p90_ms = 0, p99_ms = 0;  // of single samples
  double samples_per_second = 0;              // in whole batches
};

// Half of `seconds` for either. The samples are the inputs, as many as a batch holds, or random bytes if there are
// none; an input that cannot be decoded is an Error.
BenchResult bench(const Predictor& predictor, const std::vector<std::string>& inputs, int64_t batch,
                  const Computing& how, double seconds);

}  // namespace lepton
