#include "train/verdict.h"

#include <algorithm>

#include "metrics/metrics.h"
#include "predict/scoring.h"

namespace lepton {

bool learned_nothing(Engine& judge, const Graph& graph, const SplitData& split, std::span<const int64_t> samples,
                     int64_t batch) {
  constexpr size_t kEnough = 20'000;
  const size_t stride = std::max<size_t>(1, samples.size() / kEnough);
  std::vector<int64_t> some;
  for (size_t i = 0; i < samples.size(); i += stride) some.push_back(samples[i]);
  const std::vector<float> logits = score_samples(judge, graph, graph.output(), split, some, batch, plain_view());
  return says_nothing(softmax(logits, graph.classes), labels_of(split, some), graph.classes);
}

}  // namespace lepton
