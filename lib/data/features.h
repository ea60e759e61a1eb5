#pragma once
// From samples of sound to frames: log-mel bands, cepstral coefficients, or the samples themselves.
#include <complex>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace lepton {

constexpr int64_t kMostDecibels = 200;  // of a range, of silence

enum class FeatureKind { logmel, mfcc, wave };

// Lengths in samples. Frame t covers samples [t * hop, t * hop + window): nothing is padded on the left or the right.
struct FeatureSpec {
  FeatureKind kind = FeatureKind::logmel;
  int64_t rate = 0, window = 0, hop = 0;
  int64_t bands = 40, coefficients = 13;  // coefficients: of mfcc, at most as many as bands
  int64_t range_db = 0;                   // of logmel and mfcc; 0: as wide as it is

  int64_t fft() const;  // the smallest power of two that holds a window
  // Of so many samples, each of width() numbers; 0 where they are fewer than a window.
  int64_t frames(int64_t samples) const;
  int64_t width() const { return kind == FeatureKind::wave ? 1 : kind == FeatureKind::mfcc ? coefficients : bands; }
};

// Tables for one spec, made once; compute() may be called from any thread and allocates nothing a frame.
//
// logmel: natural logarithm of 1e-6 plus the power spectrum (periodic Hann window, zeros behind it up to fft()) through
// triangles equally spaced from 0 Hz to half the rate on Slaney's mel scale (linear to 1 kHz, logarithmic above), each
// of area 1 (librosa.filters.mel with its defaults; melspectrogram(power=2, center=False)). mfcc: the orthonormal
// DCT-II of logmel, the first coefficients (librosa.feature.mfcc(S=logmel)). With a range, what lies more than so many
// decibels below the greatest value of all frames and bands is raised to there, before the DCT (librosa.power_to_db's
// top_db).
class FeaturePlan {
 public:
  // Error(usage) where a band is narrower than the spectrum resolves.
  explicit FeaturePlan(const FeatureSpec& spec);
  ~FeaturePlan();
  FeaturePlan(const FeaturePlan&) = delete;
  FeaturePlan& operator=(const FeaturePlan&) = delete;
  const FeatureSpec& spec() const { return spec_; }
  // out: [frames(samples), width()].
  void compute(std::span<const float> samples, std::span<float> out) const;

 private:
  struct Band {
    size_t first;  // bin of the spectrum
    std::vector<float> weights;
  };
  struct Workspace;
  struct Transform;
  void make_bands();
  void power_spectrum(const float* samples, Workspace& work) const;
  void to_range(std::span<float> logmel) const;
  void to_cepstrum(std::span<const float> logmel, std::span<float> out) const;

  FeatureSpec spec_;
  std::vector<float> window_;
  std::vector<std::complex<float>> twiddles_;  // exp(-2 pi i k / fft), k < fft / 2
  std::vector<Band> bands_;
  std::vector<float> cosines_;  // [coefficients, bands]
  std::unique_ptr<Transform> transform_;
};

}  // namespace lepton
