// bench_load DATA.h5 BATCH THREADS [DUMP]: reading, shuffling, augmenting and normalising, for scripts/bench. Prints
// "ready"; then each line "S" on standard input is answered by images a second over S seconds. DUMP receives the pixels
// of the training split, [n, 64, 64, 3], for a peer to do the same with.
#include <fmt/core.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "data/dataset.h"
#include "engine/cpu/ops.h"
#include "engine/cpu/threads.h"
#include "train/batches.h"

namespace {

using namespace lepton;
using Clock = std::chrono::steady_clock;

class Bench {
 public:
  Bench(const std::string& path, int64_t batch)
      : data_(Dataset::open(path)), split_(*data_.split(Split::train)), loader_(split_, all(), options(batch)) {
    augment_.shift = 2;
    augment_.flip = AugmentSpec::Flip::random;
    EngineOptions engine;
    engine.batch = loader_.largest_batch();
    engine.mean = data_.meta().mean;
    engine.std = data_.meta().std;
    const Shape& sample = split_.sample_shape();
    const cpu::Value out{cpu::map_of(sample), true, cpu::Element::fp32, arena_.add(engine.batch * sample.elements())};
    arena_.touch(out.buffer, 0);
    arena_.plan();
    input_ = cpu::make_input(engine, sample, out);
    input_->bind(arena_);
    loader_.start(0, 0, augment_);
    while (step() > 0) {
    }
  }

  void dump(const std::string& path) const {
    std::vector<uint8_t> pixels(static_cast<size_t>(split_.size() * split_.sample_shape().elements()));
    split_.read(0, split_.size(), pixels);
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(pixels.data()), std::ssize(pixels));
    if (!out.flush()) fail(Exit::output, "{}: cannot be written", path);
  }

  double measure(double seconds) {
    int64_t images = 0;
    const auto begun = Clock::now();
    for (int64_t epoch = 1;; ++epoch) {
      loader_.start(epoch, 0, augment_);
      while (const int64_t n = step()) {
        images += n;
        const std::chrono::duration<double> passed = Clock::now() - begun;
        if (passed.count() >= seconds) return static_cast<double>(images) / passed.count();
      }
    }
  }

 private:
  std::vector<int64_t> all() const {
    std::vector<int64_t> samples(static_cast<size_t>(split_.size()));
    std::iota(samples.begin(), samples.end(), int64_t{0});
    return samples;
  }
  static LoaderOptions options(int64_t batch) {
    LoaderOptions options;
    options.batch = batch;
    return options;
  }

  int64_t step() {
    const OwnedBatch* owned = loader_.next();
    if (owned == nullptr) return 0;
    const Batch batch = owned->view();
    cpu::Run run;
    run.batch = &batch;
    run.n = batch.n;
    input_->forward(run);
    return batch.n;
  }

  Dataset data_;
  const SplitData& split_;
  BatchLoader loader_;
  AugmentSpec augment_;
  cpu::Arena arena_;
  std::unique_ptr<cpu::Op> input_;
};

}  // namespace

int main(int count, char** arguments) {
  try {
    const auto batch = count > 3 ? parse_int(arguments[2]) : std::nullopt,
               threads = count > 3 ? parse_int(arguments[3]) : batch;
    if (!batch || !threads) fail(Exit::usage, "usage: bench_load DATA.h5 BATCH THREADS [DUMP]");
    const cpu::ThreadScope scope(static_cast<int>(*threads));
    Bench bench(arguments[1], *batch);
    if (count > 4) bench.dump(arguments[4]);
    fmt::print("ready\n");
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
      fmt::print("{:.6g}\n", bench.measure(parse_double(line).value_or(1)));
      std::fflush(stdout);
    }
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "bench_load: {}\n", error.what());
    return static_cast<int>(error.status());
  }
}
