// Steps that are replayed, batches that were announced and images that are kept give the bits of plain steps.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "cuda/host_engines.h"
#include "engine/engine_testing.h"
#include "net/parameters.h"

namespace lepton::cuda {
namespace {

const Shape kShape{9, 8, 3};
constexpr int64_t kClasses = 5, kMost = 7;
const Graph kGraph = build_graph(
    "conv 6 3x3 bn relu; maxpool 2; residual {; conv 6 3x3 bn gelu; }; dropout 0.2; dense 9 silu; dense classes",
    kShape, kClasses);

EngineOptions options_of(Precision precision, const OptimizerSpec& spec) {
  EngineOptions options;
  options.batch = kMost;
  options.training = true;
  options.seed = 5;
  options.precision = precision;
  options.optimizer = spec;
  set_normalization(kShape, options);
  return options;
}

// On a GPU too where there is one.
std::unique_ptr<Engine> engine_on(const std::string& device, const EngineOptions& options, bool records) {
  if (device == "cuda_host") return make_engine(std::make_unique<HostPolicy>(records), kGraph, options);
  if (!records) setenv("LEPTON_CUDA_PLAIN_STEPS", "1", 1);
  auto engine = compile_tested(kGraph, device, options);
  unsetenv("LEPTON_CUDA_PLAIN_STEPS");
  return engine;
}

// All that is told of a step changes with its number: batches of `sizes` in turn, augmented or not, weighted or not.
struct Step {
  Step(int64_t number, int64_t size, bool augmented, bool weighted)
      : n(size), samples(kShape, size, kClasses, static_cast<uint64_t>(number + 1)) {
    if (augmented) samples.augment(kShape, static_cast<uint64_t>(number));
    if (weighted) samples.weigh();
    rates.assign(parameters_of(kGraph).size(), 0.01F * static_cast<float>(number + 1));
    decays.assign(rates.size(), 1e-3F * static_cast<float>(number));
    settings.step = number;
    settings.rates = rates;
    settings.decays = decays;
    settings.label_smoothing = 0.05F * static_cast<float>(number % 3);
    settings.sum_loss = number % 4 == 3;
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  int64_t n;
  TestSamples samples;
  std::vector<float> rates, decays;
  StepSettings settings;
};

std::vector<std::unique_ptr<Step>> steps_of(const std::vector<int64_t>& sizes) {
  std::vector<std::unique_ptr<Step>> steps;
  for (size_t i = 0; i < sizes.size(); ++i) {
    steps.push_back(std::make_unique<Step>(static_cast<int64_t>(i), sizes[i], i % 2 == 1, i % 3 == 1));
  }
  return steps;
}

struct Outcome {
  std::vector<StepResult> results;
  ParameterSet state;
};

void expect_equal(const Outcome& a, const Outcome& b) {
  ASSERT_EQ(a.results.size(), b.results.size());
  for (size_t i = 0; i < a.results.size(); ++i) {
    EXPECT_EQ(a.results[i].loss, b.results[i].loss) << i;
    EXPECT_EQ(a.results[i].correct, b.results[i].correct) << i;
    EXPECT_EQ(a.results[i].gradient_norm, b.results[i].gradient_norm) << i;
    EXPECT_EQ(a.results[i].finite, b.results[i].finite) << i;
  }
  EXPECT_TRUE(same(a.state, b.state));
}

// Takes the steps; `take` does one.
template <class Take>
Outcome taken(Engine& engine, const std::vector<std::unique_ptr<Step>>& steps, const Take& take) {
  engine.load(initial_parameters(kGraph, 3));
  Outcome outcome;
  for (size_t i = 0; i < steps.size(); ++i) outcome.results.push_back(take(i));
  outcome.state = engine.save();
  return outcome;
}

Outcome plain_steps(Engine& engine, const std::vector<std::unique_ptr<Step>>& steps) {
  return taken(engine, steps,
               [&](size_t i) { return engine.train_step(steps[i]->samples.batch(), steps[i]->settings); });
}

std::vector<std::pair<Precision, OptimizerCase>> cases() {
  std::vector<std::pair<Precision, OptimizerCase>> all;
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    for (const OptimizerCase& c : optimizer_cases()) all.emplace_back(precision, c);
  }
  return all;
}

// The third size is never recorded; the first two are, in their second step.
const std::vector<int64_t> kSizes = {7, 6, 7, 6, 5, 7, 5, 6, 7, 5};

TEST(ReplayedSteps, KnowNothingOfTheRecordedOne) {
  const auto steps = steps_of(kSizes);
  for (const std::string& device : test_devices()) {
    for (const auto& [precision, c] : cases()) {
      SCOPED_TRACE(device + ", " + c.name);
      const EngineOptions options = options_of(precision, c.spec);
      const auto replaying = engine_on(device, options, true), eager = engine_on(device, options, false);
      const Outcome outcome = plain_steps(*replaying, steps);
      expect_equal(outcome, plain_steps(*eager, steps));
      if (precision == Precision::fp16) {  // sums of losses overflow: the scale was lowered, in replayed steps too
        EXPECT_LT(outcome.state.at("optimizer.loss_scale").values[0], LossScale::kFirst);
      }
      EXPECT_EQ(outcome.state.at("optimizer.steps").values[0], static_cast<float>(kSizes.size()));
    }
  }
}

// A step that fails leaves everything as it was, replayed too, and the next one goes on from there.
TEST(ReplayedSteps, ThatAreNotFiniteChangeNothing) {
  for (const OptimizerCase& c : optimizer_cases()) {
    SCOPED_TRACE(c.name);
    EngineOptions options = options_of(Precision::fp16, c.spec);
    options.loss_scale = 16;
    const auto engine = make_engine(std::make_unique<HostPolicy>(), kGraph, options);
    engine->load(initial_parameters(kGraph, 3));
    const Step good(1, kMost, true, false), other(2, kMost, false, true);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine->train_step(good.samples.batch(), good.settings).finite);
    const ParameterSet before = engine->save();
    const std::vector<float> huge(kMost, 1e30F);
    Batch bad = good.samples.batch();
    bad.weights = huge;
    StepSettings sum = good.settings;
    sum.sum_loss = true;
    EXPECT_FALSE(engine->train_step(bad, sum).finite);
    EXPECT_TRUE(same(engine->save(), before));
    EXPECT_TRUE(engine->train_step(other.samples.batch(), other.settings).finite);
    EXPECT_FALSE(same(engine->save(), before));
  }
}

TEST(ReplayedSteps, AllocateNothing) {
  auto given = std::make_unique<HostPolicy>();
  HostPolicy& policy = *given;
  const auto engine = make_engine(std::move(given), kGraph, options_of(Precision::bf16, {}));
  policy.budget.limit(policy.budget.used());
  EXPECT_EQ(status_of([&] { policy.allocate(1); }), Exit::device);
  EXPECT_NO_THROW(plain_steps(*engine, steps_of(kSizes)));
}

// The next batch, or another one than that, after each step.
TEST(AnnouncedBatches, GiveTheSameBits) {
  const auto steps = steps_of(kSizes);
  const EngineOptions options = options_of(Precision::fp32, {});
  for (const std::string& device : test_devices()) {
    const auto plain = engine_on(device, options, false);
    const Outcome expected = plain_steps(*plain, steps);
    for (const size_t ahead : {1, 2}) {
      const auto engine = engine_on(device, options, true);
      expect_equal(taken(*engine, steps,
                         [&](size_t i) {
                           if (i + ahead < steps.size()) engine->announce(steps[i + ahead]->samples.batch());
                           if (i == 5) engine->announce({});
                           return engine->train_step(steps[i]->samples.batch(), steps[i]->settings);
                         }),
                   expected);
    }
  }
}

TEST(AnnouncedBatches, ThatAreTakenBackMayChange) {
  const EngineOptions options = options_of(Precision::fp32, {});
  const auto engine = make_engine(std::make_unique<HostPolicy>(), kGraph, options);
  const auto plain = make_engine(std::make_unique<HostPolicy>(), kGraph, options);
  Step first(0, kMost, false, false), second(1, kMost, false, false);
  std::vector<uint8_t> images(second.samples.batch().images.begin(), second.samples.batch().images.end());
  Batch changing = second.samples.batch();
  changing.images = images;
  for (Engine* each : {engine.get(), plain.get()}) each->load(initial_parameters(kGraph, 3));
  engine->announce(changing);
  engine->train_step(first.samples.batch(), first.settings);
  engine->announce({});
  images[0] ^= 0x80;
  plain->train_step(first.samples.batch(), first.settings);
  EXPECT_EQ(engine->train_step(changing, second.settings).loss, plain->train_step(changing, second.settings).loss);
  EXPECT_TRUE(same(engine->save(), plain->save()));
}

// Images that the engine keeps, named in any order, against the same ones brought along.
TEST(KeptImages, GiveTheSameBits) {
  constexpr int64_t kKept = 40;
  const TestSamples all(kShape, kKept, kClasses, 9);
  const auto size = static_cast<size_t>(kShape.elements());
  const auto image = [&](int64_t i) { return all.batch().images.subspan(static_cast<size_t>(i) * size, size); };
  const auto steps = steps_of(kSizes);
  std::vector<std::vector<int32_t>> rows(steps.size());
  std::vector<std::vector<uint8_t>> images(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    for (int64_t k = 0; k < steps[i]->n; ++k) {
      rows[i].push_back(static_cast<int32_t>((static_cast<int64_t>(i) * 11 + k * 17) % kKept));
      images[i].insert(images[i].end(), image(rows[i].back()).begin(), image(rows[i].back()).end());
    }
  }
  const auto with = [&](size_t i, bool kept) {
    Batch batch = steps[i]->samples.batch();
    batch.images = kept ? std::span<const uint8_t>() : images[i];
    if (kept) batch.kept = rows[i];
    return batch;
  };
  const EngineOptions options = options_of(Precision::fp32, {});
  for (const std::string& device : test_devices()) {
    const auto keeping = engine_on(device, options, true), plain = engine_on(device, options, false);
    int64_t asked = 0;
    ASSERT_TRUE(keeping->keep(kKept, [&](int64_t first, int64_t count, std::span<uint8_t> to) {
      ASSERT_EQ(first, asked);
      ASSERT_EQ(to.size(), static_cast<size_t>(count) * size);
      asked += count;
      std::memcpy(to.data(), image(first).data(), to.size());
    }));
    EXPECT_EQ(asked, kKept);
    const Outcome outcome = taken(*keeping, steps, [&](size_t i) {
      if (i + 1 < steps.size()) keeping->announce(with(i + 1, i % 3 != 0));  // both kinds may follow each other
      return keeping->train_step(with(i, i % 3 != 1), steps[i]->settings);
    });
    expect_equal(outcome,
                 taken(*plain, steps, [&](size_t i) { return plain->train_step(with(i, false), steps[i]->settings); }));
    std::vector<int32_t> beyond(static_cast<size_t>(steps[0]->n), static_cast<int32_t>(kKept));
    Batch wrong = with(0, true);
    wrong.kept = beyond;
    EXPECT_EQ(status_of([&] { keeping->train_step(wrong, steps[0]->settings); }), Exit::bug);
  }
}

TEST(KeptImages, AreRefusedWithoutRoomOrPixels) {
  const auto never = [](int64_t, int64_t, std::span<uint8_t>) { FAIL(); };
  auto given = std::make_unique<HostPolicy>();
  HostPolicy& policy = *given;
  const auto engine = make_engine(std::move(given), kGraph, options_of(Precision::fp32, {}));
  EXPECT_FALSE(engine->keep(policy.free_bytes(), never));
  policy.budget.limit(policy.budget.used() + 10 * kShape.elements());
  EXPECT_FALSE(engine->keep(11, never));
  EXPECT_TRUE(engine->keep(10, [](int64_t, int64_t, std::span<uint8_t>) {}));
  const auto rows = make_engine(std::make_unique<HostPolicy>(), build_graph("dense classes", {3}, 2), {});
  EXPECT_FALSE(rows->keep(4, never));
}

}  // namespace
}  // namespace lepton::cuda
