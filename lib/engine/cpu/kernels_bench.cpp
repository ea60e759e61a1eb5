// The engine's kernels on one thread, each beside what bounds it, measured here: `of_peak` is the share of the fused
// multiply-adds a loop of nothing else does (GFLOP/s), or of the bytes that a copy of as many moves (GB/s; reading is
// cheaper than writing, so that it may be more than 1). Rates are of processor time. scripts/bench micro
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <functional>

#include "base/random.h"
#include "engine/cpu/first_conv.h"
#include "engine/cpu/ops.h"
#include "engine/cpu/threads.h"
#include "engine/cpu/winograd.h"

namespace lepton::cpu {
namespace {

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr int64_t kTurns = 200'000, kChains = 12;  // chains: more than latency times width

// Zeros times zeros; in assembly, since a compiler would see through them.
void multiply_add_512() {
  asm volatile("vzeroall" ::
                   : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                     "xmm12");
  for (int64_t turn = 0; turn < kTurns; ++turn) {
    asm volatile(
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm1\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm2\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm3\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm4\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm5\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm6\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm7\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm8\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm9\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm10\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm11\n"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm12\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
              "xmm12");
  }
}

void multiply_add_256() {
  asm volatile("vzeroall" ::
                   : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                     "xmm12");
  for (int64_t turn = 0; turn < kTurns; ++turn) {
    asm volatile(
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm1\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm2\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm3\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm4\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm5\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm6\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm7\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm8\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm9\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm10\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm11\n"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm12\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
              "xmm12");
  }
}

// The most of several tries, in 1e9 a second.
double best_rate(double amount, const std::function<void()>& body) {
  double best = 0;
  for (int i = 0; i < 20; ++i) {
    const double begun = cpu_seconds();
    body();
    best = std::max(best, 1e-9 * amount / (cpu_seconds() - begun));
  }
  return best;
}

double peak_gflops() {
  static const double kPeak = [] {
    const bool wide = simd().lanes == 16;
    return best_rate(static_cast<double>(2 * kTurns * kChains * (wide ? 16 : 8)),
                     [wide] { wide ? multiply_add_512() : multiply_add_256(); });
  }();
  return kPeak;
}

// Of a copy that reads and writes `bytes` in all, in cache if they fit there.
double peak_gbytes(int64_t bytes) {
  const std::vector<char> from(static_cast<size_t>(bytes / 2), 1);
  std::vector<char> to(from.size());
  const int64_t times = std::max<int64_t>(1, (int64_t{64} << 20) / bytes);
  return best_rate(static_cast<double>(bytes * times), [&] {
    for (int64_t i = 0; i < times; ++i) {
      std::memcpy(to.data(), from.data(), from.size());
      benchmark::DoNotOptimize(to.data());
      benchmark::ClobberMemory();
    }
  });
}

void report(benchmark::State& state, const char* unit, double amount, double peak) {
  using benchmark::Counter;
  const double all = 1e-9 * amount * static_cast<double>(state.iterations());
  state.counters[unit] = Counter(all, Counter::kIsRate);
  state.counters["of_peak"] = Counter(all / peak, Counter::kIsRate);
}
void report_operations(benchmark::State& state, int64_t operations) {
  report(state, "GFLOP/s", static_cast<double>(operations), peak_gflops());
}
void report_floats(benchmark::State& state, int64_t floats) {
  report(state, "GB/s", 4.0 * static_cast<double>(floats), peak_gbytes(4 * floats));
}

AlignedFloats noise(int64_t count) {
  AlignedFloats values(count);
  for (int64_t i = 0; i < count; ++i) {
    values.data()[i] = uniform(random4(1, Stream::sample, 0, static_cast<uint64_t>(i)).v[0]) - 0.5F;
  }
  return values;
}

AlignedFloats packed(const std::vector<float>& values) {
  AlignedFloats copy(std::ssize(values));
  std::copy(values.begin(), values.end(), copy.data());
  return copy;
}

void Peaks(benchmark::State& state) {
  for (auto _ : state) {
    state.counters["GFLOP/s"] = peak_gflops();
    state.counters["GB/s"] = peak_gbytes(int64_t{512} << 20);
  }
}
BENCHMARK(Peaks)->Iterations(1);

// Channels, side. of_peak counts what Winograd multiplies, a quarter of the direct convolution's products; the peak is
// that of fp32, of which bf16 has twice as much.
template <class P>
void WinogradForward(benchmark::State& state) {
  if (std::is_same_v<P, Bf16> && !has_bf16()) return state.SkipWithError(kNoBf16);
  constexpr int64_t kBatch = 32;
  const int64_t c = state.range(0), side = state.range(1);
  const WinogradShape shape{{side, side, c}, {side, side, c}, 1, 1, false};
  const AlignedFloats x = noise(kBatch * shape.in.sample()), kernel = noise(9 * c * c), bias = noise(c),
                      y(kBatch * shape.out().sample()), work(winograd_scratch<P>(shape, kBatch, 1));
  const std::vector<P> packed = pack_winograd<P>({kernel.data(), static_cast<size_t>(kernel.size())}, c, c);
  const AlignedFloats u(std::ssize(packed));
  std::memcpy(u.data(), packed.data(), packed.size() * sizeof(P));
  for (auto _ : state) {
    winograd(shape, kBatch, x.data(), reinterpret_cast<const P*>(u.data()), bias.data(), Act::relu, y.data(),
             work.data(), 1);
  }
  const int64_t direct = kBatch * side * side * 2 * 9 * c * c;
  report_operations(state, direct / 4);
  state.counters["direct"] =
      benchmark::Counter(1e-9 * static_cast<double>(direct * state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(WinogradForward<float>)->Args({32, 32})->Args({64, 16})->Args({128, 16})->Args({256, 8});
BENCHMARK(WinogradForward<Bf16>)->Args({32, 32})->Args({64, 16})->Args({128, 16})->Args({256, 8});

void FirstConvolution(benchmark::State& state) {
  constexpr int64_t kBatch = 32, kChannels = 32;
  ConvSpec spec;
  spec.in = {32, 32, 3};
  spec.out = {32, 32, kChannels};
  spec.attributes.pad_top = spec.attributes.pad_left = 1;
  const FirstConvShape shape = first_conv_shape(spec, true);
  const AlignedFloats x = noise(kBatch * 3 * 1024), kernel = noise(27 * kChannels), bias = noise(kChannels),
                      y(kBatch * shape.out().sample()), work(first_conv_scratch(shape, 1)),
                      u = packed(pack_first_conv({kernel.data(), static_cast<size_t>(kernel.size())}, 3, kChannels));
  for (auto _ : state) {
    first_conv(shape, kBatch, x.data(), u.data(), bias.data(), Act::relu, y.data(), work.data(), 1);
  }
  report_operations(state, kBatch * 1024 * 2 * 27 * kChannels);
}
BENCHMARK(FirstConvolution);

void Dense(benchmark::State& state) {
  constexpr int64_t kRows = 128, kInputs = 512, kOutputs = 128;
  const AlignedFloats x = noise(kRows * kInputs), w = noise(kInputs * kOutputs), bias = noise(kOutputs),
                      y(kRows * kOutputs);
  for (auto _ : state) simd().dense(x.data(), w.data(), bias.data(), y.data(), kRows, kInputs, kOutputs, 0, kOutputs);
  report_operations(state, 2 * kRows * kInputs * kOutputs);
}
BENCHMARK(Dense);

// Element-wise loops over one channel block; the argument is how many pixels: in second-level cache, or in memory.
constexpr int64_t kCached = 4 << 10, kLarge = 4 << 20;

void NormForward(benchmark::State& state) {
  const int64_t count = state.range(0), lanes = simd().lanes, floats = count * lanes;
  const AlignedFloats x = noise(floats), y(floats), scale = noise(16), shift = noise(16);
  double sums[16] = {}, squares[16] = {};
  for (auto _ : state) {
    simd().stats(x.data(), count, shift.data(), sums, squares);
    simd().affine(x.data(), nullptr, y.data(), count, scale.data(), shift.data(), Act::relu);
  }
  report_floats(state, 3 * floats);
}
BENCHMARK(NormForward)->Arg(kCached)->Arg(kLarge);

void NormBackward(benchmark::State& state) {
  const int64_t count = state.range(0), lanes = simd().lanes, floats = count * lanes;
  const AlignedFloats x = noise(floats), dy = noise(floats), dx(floats), k = noise(16);
  double sums[16] = {}, products[16] = {};
  for (auto _ : state) {
    simd().affine_reduce(x.data(), dy.data(), nullptr, count, k.data(), k.data(), k.data(), Act::relu, sums, products);
    simd().affine_backward(x.data(), dy.data(), nullptr, dx.data(), count, k.data(), k.data(), k.data(), k.data(),
                           k.data(), Act::relu);
  }
  report_floats(state, 5 * floats);
}
BENCHMARK(NormBackward)->Arg(kCached)->Arg(kLarge);

void MaxPool(benchmark::State& state) {
  const int64_t side = 64, planes = state.range(0) / (side * side), lanes = simd().lanes, plane = side * side * lanes;
  const PoolShape shape{side, side, side / 2, side / 2, 2, 2, 2, 2, 0, 0};
  const AlignedFloats x = noise(planes * plane), y(planes * plane / 4), index(planes * plane / 4), dx(planes * plane);
  auto* places = reinterpret_cast<int32_t*>(index.data());
  for (auto _ : state) {
    for (int64_t i = 0; i < planes; ++i) {
      simd().maxpool(x.data() + i * plane, y.data() + i * plane / 4, places + i * plane / 4, shape);
      simd().maxpool_backward(y.data() + i * plane / 4, nullptr, places + i * plane / 4, dx.data() + i * plane, shape);
    }
  }
  report_floats(state, planes * plane * 3);  // x, dx; a quarter each of y and places, written and read
}
BENCHMARK(MaxPool)->Arg(kCached)->Arg(kLarge);

void Sgd(benchmark::State& state) {
  const int64_t count = state.range(0), floats = count * simd().lanes;
  const AlignedFloats w = noise(floats), g = noise(floats), m(floats);
  for (auto _ : state) simd().sgd(w.data(), g.data(), m.data(), count, 1e-3F, 1e-4F, 0.9F, true, 1);
  report_floats(state, 5 * floats);
}
BENCHMARK(Sgd)->Arg(kCached)->Arg(kLarge);

void AdamW(benchmark::State& state) {
  const int64_t count = state.range(0), floats = count * simd().lanes;
  const AlignedFloats w = noise(floats), g = noise(floats), m(floats), v(floats);
  for (auto _ : state) {
    simd().adamw(w.data(), g.data(), m.data(), v.data(), count, 1e-3F, 1e-4F, 0.9F, 0.999F, 1e-8F, 0.5F, 0.5F, 1);
  }
  report_floats(state, 7 * floats);
}
BENCHMARK(AdamW)->Arg(kCached)->Arg(kLarge);

// A batch of 128 images of 32x32x3: bytes to normalised floats; 0: as they are, 1: shifted, mirrored, cut, 2: toned
// too.
void InputBatch(benchmark::State& state) {
  constexpr int64_t kBatch = 128;
  const Shape sample{32, 32, 3};
  EngineOptions options;
  options.batch = kBatch;
  options.mean = {125, 123, 114};
  options.std = {63, 62, 67};
  Arena arena;
  const Value out{map_of(sample), true, Element::fp32, arena.add(kBatch * sample.elements())};
  arena.touch(out.buffer, 0);
  arena.plan();
  const std::unique_ptr<Op> op = make_input(options, sample, out);
  op->bind(arena);
  std::vector<uint8_t> images(static_cast<size_t>(kBatch * sample.elements()), 100);
  std::vector<Augment> augment(state.range(0) > 0 ? kBatch : 0);
  for (size_t i = 0; i < augment.size(); ++i) {
    augment[i].dy = static_cast<int16_t>(i % 5) - 2;
    augment[i].dx = static_cast<int16_t>(i % 3) - 1;
    augment[i].flip = i % 2 == 1;
    augment[i].cut_h = augment[i].cut_w = 8;
    if (state.range(0) > 1) augment[i].brightness = 5;
  }
  Batch batch;
  batch.n = kBatch;
  batch.images = images;
  batch.augment = augment;
  Run run;
  run.batch = &batch;
  run.n = kBatch;
  const ThreadScope one(1);
  for (auto _ : state) op->forward(run);
  report(state, "GB/s", 5.0 * static_cast<double>(kBatch * sample.elements()),
         peak_gbytes(5 * kBatch * sample.elements()));
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(InputBatch)->DenseRange(0, 2);

}  // namespace
}  // namespace lepton::cpu
