// bench_engine NET BATCH train|infer SECONDS [SAMPLE]: samples a second of the CPU engine, one figure a line, three
// lines. SAMPLE: 32x32x3 (an image, the default), 98x40 (frames), 30 (a row), 60@20000 (a text and its tokens).
#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/text.h"
#include "engine/engine.h"
#include "net/graph.h"
#include "net/parameters.h"
#include "net/presets.h"

namespace {

using namespace lepton;

struct Job {
  std::string net, mode;
  int64_t batch = 128;
  double seconds = 1;
  Shape input;
  int64_t tokens = 0;
};

constexpr const char* kUsage = "usage: bench_engine NET BATCH train|infer SECONDS [HxWxC|TxF|D|L@TOKENS]";

Job job_of(int argc, char** argv) {
  if (argc != 5 && argc != 6) fail(Exit::usage, kUsage);
  Job job{argv[1], argv[3], parse_int(argv[2]).value_or(0), parse_double(argv[4]).value_or(0), {}};
  if (job.batch < 1 || job.seconds <= 0 || (job.mode != "train" && job.mode != "infer")) {
    fail(Exit::usage, kUsage);
  }
  const std::vector<std::string> parts = split(argc > 5 ? argv[5] : "32x32x3", '@');
  for (const std::string& extent : split(parts[0], 'x')) job.input.push_back(parse_int(extent).value_or(0));
  if (parts.size() > 1) job.tokens = parse_int(parts[1]).value_or(0);
  return job;
}

std::string network_text(const std::string& name) {
  const Preset* preset = find_preset(name);
  return preset == nullptr ? name : std::string(preset->net);  // a network's own text may be measured too
}

void run(const Job& job) {
  const int64_t classes = 10;
  const Graph graph = build_graph(network_text(job.net), job.input, classes, job.tokens);
  EngineOptions options;
  options.batch = job.batch;
  options.training = job.mode == "train";
  const SampleKind kind = kind_of(job.input, job.tokens);
  if (kind == SampleKind::image) {
    options.mean.assign(static_cast<size_t>(job.input[2]), 125);
    options.std.assign(options.mean.size(), 63);
  }
  const std::unique_ptr<Engine> engine = compile_cpu(graph, options, nullptr);
  engine->load(initial_parameters(graph, 1));
  const auto values = static_cast<size_t>(job.batch * job.input.elements());
  std::vector<uint8_t> images(kind == SampleKind::image ? values : 0);
  std::vector<int32_t> labels(static_cast<size_t>(job.batch)), tokens(kind == SampleKind::text ? values : 0);
  std::vector<float> rows(images.empty() && tokens.empty() ? values : 0);
  const auto draw = [](size_t i) { return random4(1, Stream::sample, 0, i).v[0]; };
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<uint8_t>(draw(i));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = 2 * uniform(draw(i)) - 1;
  // Words are as frequent as 1 / rank.
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<int32_t>(std::pow(static_cast<double>(job.tokens), uniform(draw(i))));
  }
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i % 10);
  Batch batch;
  batch.n = job.batch;
  batch.images = images;
  batch.rows = rows;
  batch.tokens = tokens;
  batch.labels = labels;
  const std::vector<float> rates(parameters_of(graph).size(), 1e-3F), decays(rates.size(), 5e-4F);
  StepSettings settings;
  settings.rates = rates;
  settings.decays = decays;
  std::vector<float> logits(static_cast<size_t>(job.batch * classes));
  const auto once = [&] {
    if (options.training) {
      if (!engine->train_step(batch, settings).finite) fail(Exit::failed, "bench_engine: the step was not finite");
    } else {
      engine->infer(batch, graph.output(), logits);
    }
  };
  for (int warm_up = 0; warm_up < 2; ++warm_up) once();
  using Clock = std::chrono::steady_clock;
  for (int repetition = 0; repetition < 3; ++repetition) {
    int64_t calls = 0;
    const auto begun = Clock::now();
    double passed = 0;
    do {
      once();
      ++calls;
      passed = std::chrono::duration<double>(Clock::now() - begun).count();
    } while (passed < job.seconds / 3);
    fmt::print("{:.1f}\n", static_cast<double>(calls * job.batch) / passed);
  }
  if (std::getenv("BENCH_VERBOSE") != nullptr) {
    fmt::print(stderr, "{}", engine->describe());
    for (const LayerTime& t : engine->profile(batch)) {
      fmt::print(stderr, "{:12} {:8.2f} {:8.2f} ms\n", graph.nodes[static_cast<size_t>(t.node)].name, t.forward_ms,
                 t.backward_ms);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(job_of(argc, argv));
    return 0;
  } catch (const lepton::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.status());
  }
}
