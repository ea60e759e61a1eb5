#include "data/features.h"

#include <kiss_fft.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace lepton {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr float kLogFloor = 1e-6F;

// Slaney's mel scale (Auditory Toolbox, 1998): 200/3 Hz a mel up to 1 kHz, then 27 mels for each factor of 6.4.
constexpr double kHertzPerMel = 200.0 / 3, kKnee = 1000;
double mel_of(double hertz) {
  return hertz < kKnee ? hertz / kHertzPerMel : kKnee / kHertzPerMel + 27 * std::log(hertz / kKnee) / std::log(6.4);
}
double hertz_of(double mel) {
  const double knee = kKnee / kHertzPerMel;
  return mel < knee ? mel * kHertzPerMel : kKnee * std::pow(6.4, (mel - knee) / 27);
}

}  // namespace

int64_t FeatureSpec::fft() const {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(window, 4))));
}

int64_t FeatureSpec::frames(int64_t samples) const {
  if (kind == FeatureKind::wave) return samples;
  return samples < window ? 0 : 1 + (samples - window) / hop;
}

// A real transform of 2n numbers by a complex one of n; kiss_fft leaves its tables alone, so threads can share them.
struct FeaturePlan::Transform {
  explicit Transform(int64_t n) : tables(kiss_fft_alloc(static_cast<int>(n), 0, nullptr, nullptr)) {
    if (tables == nullptr) throw std::bad_alloc();
  }
  ~Transform() { kiss_fft_free(tables); }
  Transform(const Transform&) = delete;
  Transform& operator=(const Transform&) = delete;
  kiss_fft_cfg tables;
};

struct FeaturePlan::Workspace {
  std::vector<kiss_fft_cpx> time, spectrum;  // fft/2 each: even samples are real parts, odd ones imaginary
  std::vector<float> power;                  // fft/2 + 1
};

FeaturePlan::FeaturePlan(const FeatureSpec& spec) : spec_(spec) {
  if (spec.kind == FeatureKind::wave) return;
  const int64_t fft = spec.fft();
  for (int64_t i = 0; i < spec.window; ++i) {
    window_.push_back(
        static_cast<float>(0.5 - 0.5 * std::cos(2 * kPi * static_cast<double>(i) / static_cast<double>(spec.window))));
  }
  for (int64_t k = 0; k < fft / 2; ++k) {
    const double angle = -2 * kPi * static_cast<double>(k) / static_cast<double>(fft);
    twiddles_.emplace_back(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)));
  }
  make_bands();
  if (spec.kind == FeatureKind::mfcc) {
    const auto bands = static_cast<double>(spec.bands);
    for (int64_t k = 0; k < spec.coefficients; ++k) {
      const double scale = std::sqrt((k == 0 ? 1 : 2) / bands);
      for (int64_t b = 0; b < spec.bands; ++b) {
        cosines_.push_back(static_cast<float>(
            scale * std::cos(kPi * static_cast<double>(k) * (static_cast<double>(b) + 0.5) / bands)));
      }
    }
  }
  transform_ = std::make_unique<Transform>(fft / 2);
}

FeaturePlan::~FeaturePlan() = default;

void FeaturePlan::make_bands() {
  const int64_t last = spec_.fft() / 2;
  const double bin = static_cast<double>(spec_.rate) / static_cast<double>(spec_.fft());  // Hz
  const double step = mel_of(static_cast<double>(spec_.rate) / 2) / static_cast<double>(spec_.bands + 1);
  for (int64_t b = 0; b < spec_.bands; ++b) {
    const double low = hertz_of(step * static_cast<double>(b)), peak = hertz_of(step * static_cast<double>(b + 1)),
                 high = hertz_of(step * static_cast<double>(b + 2));
    Band band{static_cast<size_t>(low / bin) + 1, {}};
    for (auto k = static_cast<double>(band.first); k * bin < high && k <= static_cast<double>(last); ++k) {
      const double at = k * bin;
      const double height = std::max(0.0, std::min((at - low) / (peak - low), (high - at) / (high - peak)));
      band.weights.push_back(static_cast<float>(height * 2 / (high - low)));
    }
    if (std::none_of(band.weights.begin(), band.weights.end(), [](float w) { return w > 0; })) {
      fail(Exit::usage, "{} bands are more than windows of {} samples at {} Hz resolve: ask for fewer", spec_.bands,
           spec_.window, spec_.rate);
    }
    bands_.push_back(std::move(band));
  }
}

// With Z the transform of even + i * odd samples, X[k] = E[k] + w^k O[k] where E = (Z[k] + conj Z[n-k]) / 2 and
// O = (Z[k] - conj Z[n-k]) / 2i.
void FeaturePlan::power_spectrum(const float* samples, Workspace& work) const {
  auto* windowed = reinterpret_cast<float*>(work.time.data());  // what lies behind the window stays zero
  for (size_t i = 0; i < window_.size(); ++i) windowed[i] = samples[i] * window_[i];
  kiss_fft(transform_->tables, work.time.data(), work.spectrum.data());
  const size_t n = work.spectrum.size();
  for (size_t k = 0; k <= n / 2; ++k) {
    const kiss_fft_cpx a = work.spectrum[k], b = work.spectrum[k == 0 ? 0 : n - k];
    const float er = 0.5F * (a.r + b.r), ei = 0.5F * (a.i - b.i);
    const float dr = 0.5F * (a.i + b.i), di = 0.5F * (b.r - a.r);
    const std::complex<float> w = twiddles_[k];
    const float tr = w.real() * dr - w.imag() * di, ti = w.real() * di + w.imag() * dr;
    work.power[k] = (er + tr) * (er + tr) + (ei + ti) * (ei + ti);
    work.power[n - k] = (er - tr) * (er - tr) + (ei - ti) * (ei - ti);
  }
}

void FeaturePlan::to_range(std::span<float> logmel) const {
  if (spec_.range_db == 0 || logmel.empty()) return;
  const auto depth = static_cast<float>(static_cast<double>(spec_.range_db) / 10 * std::numbers::ln10);
  const float least = *std::max_element(logmel.begin(), logmel.end()) - depth;
  for (float& value : logmel) value = std::max(value, least);
}

void FeaturePlan::to_cepstrum(std::span<const float> logmel, std::span<float> out) const {
  const size_t bands = bands_.size();
  for (size_t i = 0; i < out.size(); ++i) {
    const auto width = static_cast<size_t>(spec_.width());
    const float *frame = logmel.data() + i / width * bands, *cosines = cosines_.data() + i % width * bands;
    out[i] = 0;
    for (size_t b = 0; b < bands; ++b) out[i] += cosines[b] * frame[b];
  }
}

void FeaturePlan::compute(std::span<const float> samples, std::span<float> out) const {
  if (spec_.kind == FeatureKind::wave) {
    std::copy(samples.begin(), samples.end(), out.begin());
    return;
  }
  const auto half = static_cast<size_t>(spec_.fft() / 2),
             frames = static_cast<size_t>(spec_.frames(std::ssize(samples)));
  Workspace work{std::vector<kiss_fft_cpx>(half), std::vector<kiss_fft_cpx>(half), std::vector<float>(half + 1)};
  const bool cepstrum = !cosines_.empty();
  std::vector<float> own(cepstrum ? frames * bands_.size() : 0);
  const std::span<float> logmel = cepstrum ? std::span(own) : out;
  for (size_t t = 0; t < frames; ++t) {
    power_spectrum(samples.data() + t * static_cast<size_t>(spec_.hop), work);
    for (size_t b = 0; b < bands_.size(); ++b) {
      const float* power = work.power.data() + bands_[b].first;
      float sum = 0;
      for (size_t k = 0; k < bands_[b].weights.size(); ++k) sum += bands_[b].weights[k] * power[k];
      logmel[t * bands_.size() + b] = std::log(sum + kLogFloor);
    }
  }
  to_range(logmel);
  if (cepstrum) to_cepstrum(logmel, out);
}

}  // namespace lepton
