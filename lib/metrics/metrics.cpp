#include "metrics/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace lepton {

Estimate proportion(int64_t successes, int64_t trials) {
  if (trials == 0) return {0, 0, 1};
  constexpr double z = 1.959963984540054;
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {p, std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

std::vector<float> softmax(std::span<const float> logits, int64_t classes, double temperature) {
  std::vector<float> out(logits.size());
  const auto width = static_cast<size_t>(classes);
  std::vector<double> exponentials(width);
  for (size_t row = 0; row < logits.size(); row += width) {
    const float* x = logits.data() + row;
    const double top = *std::max_element(x, x + width);
    double sum = 0;
    for (size_t c = 0; c < width; ++c) sum += exponentials[c] = std::exp((x[c] - top) / temperature);
    for (size_t c = 0; c < width; ++c) out[row + c] = static_cast<float>(exponentials[c] / sum);
  }
  return out;
}

std::vector<int32_t> argmax(std::span<const float> scores, int64_t classes) {
  std::vector<int32_t> best;
  for (auto row = scores.begin(); row != scores.end(); row += classes) {
    best.push_back(static_cast<int32_t>(std::max_element(row, row + classes) - row));
  }
  return best;
}

int64_t count_top(std::span<const float> scores, std::span<const int32_t> labels, int64_t classes, int64_t k) {
  int64_t count = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const float* row = scores.data() + i * static_cast<size_t>(classes);
    const int32_t label = labels[i];
    int64_t ahead = 0;
    for (int32_t c = 0; c < classes; ++c) ahead += row[c] > row[label] || (row[c] == row[label] && c < label);
    count += ahead < k;
  }
  return count;
}

std::vector<int64_t> confusion(std::span<const int32_t> truth, std::span<const int32_t> predicted, int64_t classes) {
  std::vector<int64_t> counts(static_cast<size_t>(classes * classes));
  for (size_t i = 0; i < truth.size(); ++i) ++counts[static_cast<size_t>(truth[i] * classes + predicted[i])];
  return counts;
}

std::vector<ClassScore> class_scores(std::span<const int64_t> counts, int64_t classes) {
  std::vector<ClassScore> scores(static_cast<size_t>(classes));
  const auto width = static_cast<size_t>(classes);
  for (size_t truth = 0; truth < width; ++truth) {
    for (size_t answer = 0; answer < width; ++answer) {
      const int64_t count = counts[truth * width + answer];
      scores[truth].support += count;
      scores[answer].predicted += count;
      if (truth == answer) scores[truth].hits = count;
    }
  }
  const auto ratio = [](int64_t a, int64_t b) { return b ? static_cast<double>(a) / static_cast<double>(b) : 0.0; };
  for (ClassScore& s : scores) {
    s.precision = ratio(s.hits, s.predicted);
    s.recall = ratio(s.hits, s.support);
    s.f1 = ratio(2 * s.hits, s.support + s.predicted);
  }
  return scores;
}

double macro_f1(std::span<const ClassScore> scores) {
  double sum = 0;
  int64_t present = 0;
  for (const ClassScore& s : scores) {
    if (s.support + s.predicted == 0) continue;
    sum += s.f1;
    ++present;
  }
  return present ? sum / static_cast<double>(present) : 0;
}

double balanced_accuracy(std::span<const ClassScore> scores) {
  double sum = 0;
  int64_t present = 0;
  for (const ClassScore& s : scores) {
    if (s.support == 0) continue;
    sum += s.recall;
    ++present;
  }
  return present ? sum / static_cast<double>(present) : 0;
}

double matthews_correlation(std::span<const int64_t> counts, int64_t classes) {
  double samples = 0, hits = 0, both = 0, truths = 0, answers = 0;
  for (const ClassScore& s : class_scores(counts, classes)) {
    const auto t = static_cast<double>(s.support), a = static_cast<double>(s.predicted);
    samples += t;
    hits += static_cast<double>(s.hits);
    both += t * a;
    truths += t * t;
    answers += a * a;
  }
  const double scale = std::sqrt((samples * samples - answers) * (samples * samples - truths));
  return scale > 0 ? (hits * samples - both) / scale : 0;
}

Estimate majority_baseline(std::span<const int32_t> truth, int64_t classes) {
  std::vector<int64_t> counts(static_cast<size_t>(classes));
  for (const int32_t label : truth) ++counts[static_cast<size_t>(label)];
  return proportion(counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end()),
                    static_cast<int64_t>(truth.size()));
}

double log_loss(std::span<const float> probabilities, std::span<const int32_t> labels, int64_t classes) {
  double sum = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const double p = probabilities[i * static_cast<size_t>(classes) + static_cast<size_t>(labels[i])];
    sum -= std::log(std::max(p, 1e-12));
  }
  return labels.empty() ? 0 : sum / static_cast<double>(labels.size());
}

bool says_nothing(std::span<const float> probabilities, std::span<const int32_t> labels, int64_t classes) {
  constexpr double kRounding = 1e-5;  // of sums over probabilities in single precision
  const auto differs = [](const auto& v) {
    return std::adjacent_find(v.begin(), v.end(), std::not_equal_to{}) != v.end();
  };
  if (!differs(labels) || differs(argmax(probabilities, classes))) return false;
  const auto n = static_cast<double>(labels.size());
  std::vector<double> mean(static_cast<size_t>(classes));
  for (size_t i = 0; i < probabilities.size(); ++i) mean[i % mean.size()] += static_cast<double>(probabilities[i]) / n;
  double blind = 0;
  for (const int32_t label : labels) blind -= std::log(std::max(mean[static_cast<size_t>(label)], 1e-12)) / n;
  return log_loss(probabilities, labels, classes) >= blind * (1 - kRounding);
}

double calibration_error(std::span<const float> probabilities, std::span<const int32_t> labels, int64_t classes) {
  struct Bin {
    double confidence = 0;
    int64_t hits = 0;
  };
  std::array<Bin, 15> bins;
  const std::vector<int32_t> answers = argmax(probabilities, classes);
  for (size_t i = 0; i < labels.size(); ++i) {
    const double p = probabilities[i * static_cast<size_t>(classes) + static_cast<size_t>(answers[i])];
    Bin& bin = bins[std::min<size_t>(14, static_cast<size_t>(p * 15))];
    bin.confidence += p;
    bin.hits += answers[i] == labels[i];
  }
  double sum = 0;
  for (const Bin& bin : bins) sum += std::abs(bin.confidence - static_cast<double>(bin.hits));
  return labels.empty() ? 0 : sum / static_cast<double>(labels.size());
}

}  // namespace lepton
