#pragma once
// Which plan computes each pass of a convolution: the one that a model of an H100 says is quickest. Nothing is timed,
// so the choice, and with it every rounding, is always the same. What a kernel moves and multiplies is counted; it
// takes the longer of the two times, and one launch. Figures without a source beside them are guesses until measured.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/text.h"
#include "cuda/conv_plan.h"
#include "cuda/conv_tripled.h"

namespace lepton::cuda {

struct CardModel {
  double flops;                          // a second, of products
  double memory = 3.0e12;                // bytes a second: measured
  double cache = 6.0e12;                 // bytes a second to and from the 50 MB cache: guess
  double launch = 2e-6;                  // seconds from a kernel to the next within a graph: guess
  int64_t resident = int64_t{20} << 20;  // bytes that stay in the cache while kernels alternate: guess
};

// bf16 and fp16: measured; tf32 half and fp32 a fifteenth of it, as in the data sheet.
inline CardModel card_model(Type type, bool tf32) {
  constexpr double kSixteenBits = 798e12;
  return {.flops = type != Type::fp32 ? kSixteenBits : tf32 ? kSixteenBits / 2 : kSixteenBits / 15};
}

enum class ConvPass { forward, data_gradient, kernel_gradient };
inline constexpr const char* kConvPassNames[] = {"forward", "data gradient", "kernel gradient"};

// n samples, `chunk` at a time.
class ConvCosts {
 public:
  ConvCosts(const ConvShape& shape, int64_t n, Type type, bool tf32)
      : s_(shape), n_(n), size_(static_cast<double>(size_of(type))), card_(card_model(type, tf32)) {}

  // Samples whose windows, or triples and products, fit `bytes`, in chunks of the same size.
  int64_t im2col_chunk(int64_t bytes) const { return chunk_of(static_cast<double>(bytes) / window_bytes(1)); }
  int64_t tripled_chunk(int64_t bytes) const {
    const double each = std::max(tripled_bytes(tripled_forward(s_), 1), tripled_bytes(tripled_back(s_), 1));
    return chunk_of(static_cast<double>(bytes) / each);
  }

  double im2col(ConvPass pass, int64_t chunk) const {
    const double windows = window_bytes(n_), x = bytes(s_.in_size()), y = bytes(s_.out_pixels() * s_.filters);
    const double rate = window_bytes(chunk) <= static_cast<double>(card_.resident) ? card_.cache : card_.memory;
    const double flops = 2.0 * samples() * static_cast<double>(s_.out_pixels() * s_.window() * s_.filters);
    const double layout = x / card_.memory + windows / rate;  // laid out or gathered again
    const double sums = pass == ConvPass::kernel_gradient ? 8 * kernel_values() * chunks(chunk) / card_.cache : 0;
    return layout + std::max(flops / card_.flops, windows / rate + y / card_.memory) + sums +
           2 * chunks(chunk) * card_.launch;
  }

  double tripled(ConvPass pass, int64_t chunk) const {
    const Tripled t = pass == ConvPass::data_gradient ? tripled_back(s_) : tripled_forward(s_);
    const double triples = samples() * triple_bytes(t), lines = samples() * line_bytes(t);
    const bool stays = tripled_bytes(t, chunk) <= static_cast<double>(card_.resident);
    const double rate = stays ? card_.cache : card_.memory;
    const double x = bytes(t.height * t.width * t.channels), y = bytes(t.out_height * t.out_width * t.filters);
    const double flops = 2.0 * samples() * static_cast<double>(t.places(1) * 9 * t.channels * t.filters);
    const double sums =
        pass == ConvPass::kernel_gradient ? 24 * kernel_values() * (chunks(chunk) + 0.5) / card_.cache : 0;
    // A product reads each triple with three windows.
    return (x + y) / card_.memory + (triples + lines) / rate +
           std::max(flops / card_.flops, 3 * triples / card_.cache + lines / rate) + sums +
           (3 * chunks(chunk) + 1) * card_.launch;
  }

 private:
  double samples() const { return static_cast<double>(n_); }
  double bytes(int64_t of_sample) const { return samples() * static_cast<double>(of_sample) * size_; }
  double window_bytes(int64_t n) const { return static_cast<double>(n * s_.out_pixels() * window_pitch(s_)) * size_; }
  double triple_bytes(const Tripled& t) const { return static_cast<double>(t.places(1) * 3 * t.channels) * size_; }
  double line_bytes(const Tripled& t) const { return static_cast<double>(t.places(1) * t.filters) * size_; }
  double tripled_bytes(const Tripled& t, int64_t n) const {
    return static_cast<double>(n) * (triple_bytes(t) + line_bytes(t));
  }
  double kernel_values() const { return static_cast<double>(s_.window() * s_.filters); }
  double chunks(int64_t chunk) const {
    const int64_t count = (n_ + chunk - 1) / chunk;
    return static_cast<double>(count);
  }
  int64_t chunk_of(double samples) const {
    const int64_t most = std::clamp<int64_t>(static_cast<int64_t>(std::min(samples, 1e9)), 1, n_);
    const int64_t count = (n_ + most - 1) / most;
    return (n_ + count - 1) / count;
  }

  ConvShape s_;
  int64_t n_;
  double size_;
  CardModel card_;
};

// What a pass is computed by.
struct ConvChoice {
  bool tripled = false;
  int64_t chunk = 0;
  double seconds = 0;        // of the model
  double other_seconds = 0;  // the best of the other plan; 0: there is none
};

// room: most bytes of windows at a time.
inline ConvChoice choose_conv(const ConvShape& s, ConvPass pass, int64_t n, Type type, bool tf32, int64_t room) {
  const ConvCosts costs(s, n, type, tf32);
  const int64_t resident = std::min(room, card_model(type, tf32).resident);
  ConvChoice best;
  for (const int64_t bytes : {room, resident}) {
    const int64_t chunk = costs.im2col_chunk(bytes);
    const double seconds = costs.im2col(pass, chunk);
    if (best.chunk == 0 || seconds < best.seconds) best = {false, chunk, seconds, 0};
  }
  const bool even = type == Type::fp32 || (s.channels % 8 == 0 && s.filters % 8 == 0);  // tensor cores want it
  if (s.pointwise() || !tripled_fits(s) || !even) return best;
  const int64_t chunk = costs.tripled_chunk(resident);
  const double seconds = costs.tripled(pass, chunk);
  if (seconds < best.seconds) return {true, chunk, seconds, best.seconds};
  best.other_seconds = seconds;
  return best;
}

// The plan of each pass.
template <class P, class T>
class ChosenPlan : public ConvPlan<P, T> {
 public:
  ChosenPlan(const ConvShape& s, int64_t n, bool tf32, int64_t room) : n_(n) {
    for (size_t pass = 0; pass < 3; ++pass) {
      choices_[pass] = choose_conv(s, static_cast<ConvPass>(pass), n, kTypeOf<T>, tf32, room);
      if (choices_[pass].tripled) {
        plans_[pass] = std::make_unique<TripledPlan<P, T>>(s, choices_[pass].chunk, tf32);
      } else {
        plans_[pass] = std::make_unique<Im2colPlan<P, T>>(s, choices_[pass].chunk, tf32);
      }
    }
  }

  int64_t work_bytes() const override {
    return std::max({plans_[0]->work_bytes(), plans_[1]->work_bytes(), plans_[2]->work_bytes()});
  }
  void forward(P& policy, int64_t n, const T* x, const T* kernel, const T* bias, bool relu, T* y, void* work) override {
    plans_[0]->forward(policy, n, x, kernel, bias, relu, y, work);
  }
  void data_gradient(P& policy, int64_t n, const T* kernel, const T* dy, T* dx, bool add, void* work) override {
    plans_[1]->data_gradient(policy, n, kernel, dy, dx, add, work);
  }
  bool kernel_gradient(P& policy, int64_t n, const T* x, const T* dy, float* dkernel, float* dbias,
                       void* work) override {
    return plans_[2]->kernel_gradient(policy, n, x, dy, dkernel, dbias, work);
  }

  // "forward: tripled rows in 25 chunks, by model 0.43 ms, else 0.52; ..."
  std::string name() const override {
    std::string text;
    for (size_t pass = 0; pass < 3; ++pass) {
      const ConvChoice& c = choices_[pass];
      text += fmt::format("{}{}: {} in {} chunk{}, by model {:.3f} ms", pass > 0 ? "; " : "", kConvPassNames[pass],
                          plans_[pass]->name(), (n_ + c.chunk - 1) / c.chunk, c.chunk < n_ ? "s" : "", 1e3 * c.seconds);
      if (c.other_seconds > 0) {
        text += fmt::format(", {} {:.3f}", c.tripled ? "im2col" : "tripled rows", 1e3 * c.other_seconds);
      }
    }
    return text;
  }

 private:
  int64_t n_;
  std::array<ConvChoice, 3> choices_;
  std::array<std::unique_ptr<ConvPlan<P, T>>, 3> plans_;
};

// One place decides. n: samples of the largest batch.
template <class P, class T>
std::unique_ptr<ConvPlan<P, T>> choose_conv_plan(const ConvShape& s, int64_t n, bool tf32, int64_t room) {
  if (s.pointwise()) return std::make_unique<Im2colPlan<P, T>>(s, n, tf32);
  return std::make_unique<ChosenPlan<P, T>>(s, n, tf32, room);
}

}  // namespace lepton::cuda
