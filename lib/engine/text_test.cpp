// What engine.h promises of texts, on every engine.
#include "engine/engine_testing.h"

namespace lepton {
namespace {

constexpr int64_t kClasses = 5;

// Texts of 5 samples, up to 6 of 40 tokens.
class TextTest : public testing::TestWithParam<std::string> {
 protected:
  TextTest() {
    options_.batch = 5;
    options_.training = true;
    options_.threads = 3;
  }

  std::unique_ptr<Engine> made(const std::string& device) const {
    auto engine = compile_or_skip(graph_, device, options_);
    if (engine) engine->load(test_parameters(graph_));
    return engine;
  }

  void step(Engine& engine, int64_t number) const { EXPECT_TRUE(steps_(engine, samples_.batch(), number).finite); }

  static constexpr const char* kText = "embed 20; conv 16 3 relu; globalpool max; dense classes";
  const Graph graph_ = build_graph(kText, {6}, kClasses, 40);
  const TestSamples samples_{{6}, 5, kClasses, 1, 40};
  const TestSteps steps_{graph_, 0.1F, 0.05F};
  EngineOptions options_;
};

TEST_P(TextTest, OptimizersMoveTheRowsThatOccurAsTheReference) {
  std::vector<bool> occurs(40, false);
  for (const int32_t token : samples_.batch().tokens) occurs[static_cast<size_t>(token)] = token != 0;
  for (const OptimizerCase& c : optimizer_cases()) {
    SCOPED_TRACE(c.name);
    options_.optimizer = c.spec;
    options_.optimizer.clip = 0.05F;
    const auto engine = made(GetParam()), again = made(GetParam()), reference = made("reference");
    if (!engine) return;
    for (int64_t number = 0; number < 3; ++number) {
      step(*engine, number);
      step(*again, number);
      step(*reference, number);
    }
    const ParameterSet saved = engine->save(), right = reference->save(), before = test_parameters(graph_);
    EXPECT_TRUE(same(saved, again->save()));
    ASSERT_EQ(saved.tensors.size(), right.tensors.size());
    for (size_t i = 0; i < saved.tensors.size(); ++i) {
      EXPECT_EQ(saved.tensors[i].name, right.tensors[i].name);
      expect_near(saved.tensors[i].values, right.tensors[i].values, 1e-3, right.tensors[i].name, 1e-3);
    }
    for (const NamedTensor& tensor : saved.tensors) {
      if (!tensor.name.starts_with("embed1/table")) continue;
      const bool table = tensor.name == "embed1/table" || tensor.name.ends_with(".ema");
      for (size_t token = 0; token < occurs.size(); ++token) {
        for (size_t i = token * 20; i < token * 20 + 20; ++i) {
          const float old = table ? before.at("embed1/table").values[i] : 0.0F;
          EXPECT_EQ(tensor.values[i] != old, occurs[token]) << tensor.name << " " << i;
        }
      }
    }
  }
}

TEST_P(TextTest, PaddingChangesNoAnswer) {
  const Graph longer = build_graph(kText, {11}, kClasses, 40);
  const std::span<const int32_t> tokens = samples_.batch().tokens;
  std::vector<int32_t> padded;
  for (size_t s = 0; s < 5; ++s) {
    padded.insert(padded.end(), tokens.begin() + 6 * s, tokens.begin() + 6 * (s + 1));
    padded.insert(padded.end(), 5, 0);
  }
  Batch batch;
  batch.n = 5;
  batch.tokens = padded;
  options_.training = false;
  const auto engine = made(GetParam());
  if (!engine) return;
  const auto other = compile_tested(longer, GetParam(), options_);
  other->load(test_parameters(longer));
  std::vector<float> a(5 * kClasses), b(a.size());
  engine->infer(samples_.batch(), graph_.output(), a);
  other->infer(batch, longer.output(), b);
  expect_near(a, b, 1e-5, "logits");
  // The first text is empty: nothing but the last layer's bias answers.
  const std::vector<float> bias = test_parameters(graph_).at("dense1/bias").values;
  expect_near({a.begin(), a.begin() + kClasses}, bias, 1e-6, "logits of an empty text");
}

TEST_P(TextTest, AnAnswerDoesNotDependOnItsNeighbours) {
  options_.training = false;
  const auto engine = made(GetParam());
  if (!engine) return;
  std::vector<float> all(5 * kClasses);
  engine->infer(samples_.batch(), graph_.output(), all);
  for (int64_t s = 0; s < 5; ++s) {
    Batch one;
    one.n = 1;
    one.tokens = samples_.batch().tokens.subspan(static_cast<size_t>(6 * s), 6);
    std::vector<float> alone(kClasses);
    engine->infer(one, graph_.output(), alone);
    EXPECT_EQ(alone, std::vector<float>(all.begin() + s * kClasses, all.begin() + (s + 1) * kClasses)) << s;
  }
}

TEST_P(TextTest, RefusesTokensThatAreNotThere) {
  const auto engine = made(GetParam());
  if (!engine) return;
  std::vector<int32_t> tokens(samples_.batch().tokens.begin(), samples_.batch().tokens.end());
  std::vector<float> logits(5 * kClasses);
  Batch batch = samples_.batch();
  for (const int32_t bad : {-1, 40}) {
    tokens[7] = bad;
    batch.tokens = tokens;
    EXPECT_EQ(status_of([&] { engine->infer(batch, graph_.output(), logits); }), Exit::mismatch);
  }
  batch.tokens = samples_.batch().tokens.first(9);
  EXPECT_EQ(status_of([&] { engine->infer(batch, graph_.output(), logits); }), Exit::mismatch);
  options_.mean = {1};
  EXPECT_EQ(status_of([&] { compile_tested(graph_, GetParam(), options_)->load(test_parameters(graph_)); }),
            Exit::mismatch);
}

INSTANTIATE_TEST_SUITE_P(Devices, TextTest, testing::ValuesIn(test_devices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace lepton
