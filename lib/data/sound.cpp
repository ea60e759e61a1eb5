#include "data/sound.h"

#include <algorithm>
#include <cmath>

namespace lepton {
namespace {

double energy(std::span<const float> samples) {
  double sum = 0;
  for (const float s : samples) sum += static_cast<double>(s) * static_cast<double>(s);
  return sum;
}

size_t loudest_part(std::span<const float> samples, size_t length) {
  double sum = energy(samples.first(length)), most = sum;
  size_t best = 0;
  const auto square = [&](size_t i) { return static_cast<double>(samples[i]) * static_cast<double>(samples[i]); };
  for (size_t begin = 1; begin + length <= samples.size(); ++begin) {
    sum += square(begin + length - 1) - square(begin - 1);
    if (sum > most) {
      most = sum;
      best = begin;
    }
  }
  return best;
}

}  // namespace

std::span<const float> trim_silence(std::span<const float> samples, int64_t rate, int64_t below_db) {
  const auto window = static_cast<size_t>(std::max<int64_t>(1, rate * 25 / 1000));
  const auto hop = static_cast<size_t>(std::max<int64_t>(1, rate / 100));
  std::vector<double> power;  // mean square of each window; the last may be shorter
  for (size_t begin = 0; begin < samples.size(); begin += hop) {
    const auto part = samples.subspan(begin, std::min(window, samples.size() - begin));
    power.push_back(energy(part) / static_cast<double>(part.size()));
    if (begin + window >= samples.size()) break;
  }
  if (power.empty()) return samples;
  const double loudest = *std::max_element(power.begin(), power.end());
  if (loudest <= 0) return samples;
  const double least = loudest * std::pow(10, -static_cast<double>(below_db) / 10);
  const auto loud = [least](double p) { return p >= least; };
  const auto first = static_cast<size_t>(std::find_if(power.begin(), power.end(), loud) - power.begin());
  const auto behind = static_cast<size_t>(power.rend() - std::find_if(power.rbegin(), power.rend(), loud));
  const size_t begin = first * hop, end = std::min(samples.size(), (behind - 1) * hop + window);
  return samples.subspan(begin, end - begin);
}

void to_full_scale(std::span<float> samples) {
  float peak = 0;
  for (const float s : samples) peak = std::max(peak, std::abs(s));
  if (peak == 0) return;
  for (float& s : samples) s /= peak;
}

std::vector<float> fit_length(std::span<const float> samples, int64_t wanted, CropMode mode) {
  const auto length = static_cast<size_t>(wanted);
  std::vector<float> out(length);
  if (samples.size() >= length) {
    const size_t begin = mode == CropMode::energy ? loudest_part(samples, length) : (samples.size() - length) / 2;
    std::copy_n(samples.begin() + static_cast<int64_t>(begin), length, out.begin());
  } else {
    std::copy(samples.begin(), samples.end(), out.begin() + static_cast<int64_t>((length - samples.size()) / 2));
  }
  return out;
}

}  // namespace lepton
