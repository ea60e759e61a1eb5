#include "predict/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "predict/stream.h"

namespace lepton {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

std::vector<uint8_t> samples(const Predictor& predictor, const std::vector<std::string>& inputs, int64_t batch) {
  const size_t bytes = predictor.sample_bytes();
  std::vector<uint8_t> x(static_cast<size_t>(batch) * bytes);
  if (inputs.empty() && predictor.recipe->type() != ElementType::u8) return x;
  if (inputs.empty()) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(random4(0, Stream::sample, 1, i).v[0] >> 24);
    return x;
  }
  for (size_t i = 0; i < static_cast<size_t>(batch); ++i) {
    if (i >= inputs.size()) {
      std::copy_n(x.begin() + static_cast<int64_t>((i - inputs.size()) * bytes), bytes,
                  x.begin() + static_cast<int64_t>(i * bytes));
      continue;
    }
    const std::vector<uint8_t> one = predictor.recipe->prepare(read_input(inputs[i])).x;
    std::copy(one.begin(), one.end(), x.begin() + static_cast<int64_t>(i * bytes));
  }
  return x;
}

// The smallest value that `share` of all values do not exceed.
double percentile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

}  // namespace

BenchResult bench(const Predictor& predictor, const std::vector<std::string>& inputs, int64_t batch,
                  const Computing& how, double seconds) {
  const std::vector<uint8_t> x = samples(predictor, inputs, batch);
  const size_t bytes = predictor.sample_bytes();
  Answerer answerer(predictor, predictor.graph.output(), batch, how);
  std::vector<float> values(static_cast<size_t>(batch * answerer.width()));
  answerer.infer(1, std::span(x).first(bytes), values);  // engines are made by the first call
  answerer.infer(batch, x, values);

  std::vector<double> times;
  for (const auto begun = Clock::now(); times.empty() || seconds_since(begun) < seconds / 2;) {
    const auto one = Clock::now();
    const size_t i = times.size() % static_cast<size_t>(batch);
    answerer.infer(1, std::span(x).subspan(i * bytes, bytes), values);
    times.push_back(seconds_since(one));
  }
  std::sort(times.begin(), times.end());

  int64_t done = 0;
  const auto begun = Clock::now();
  do {
    answerer.infer(batch, x, values);
    done += batch;
  } while (seconds_since(begun) < seconds / 2);
  const double elapsed = seconds_since(begun);
  return {1000 * percentile(times, 0.5), 1000 * percentile(times, 0.9), 1000 * percentile(times, 0.99),
          static_cast<double>(done) / elapsed};
}

}  // namespace lepton
