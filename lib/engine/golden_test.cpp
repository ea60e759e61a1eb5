// Small networks computed by PyTorch in double precision (scripts/make-golden): answers, loss, gradients, and ten steps
// of each optimiser, on every engine.
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/engine_testing.h"

namespace lepton {
namespace {

// One recorded network with its samples and tensors.
class Golden {
 public:
  explicit Golden(const std::string& name) {
    const std::string path = std::string(LEPTON_TESTDATA) + "/golden/" + name;
    std::ifstream text(path + ".json"), binary(path + ".bin", std::ios::binary);
    json = nlohmann::json::parse(text);
    for (const int64_t extent : json["input"]) input_.push_back(extent);
    labels_ = json["labels"].get<std::vector<int32_t>>();
    const std::string data{std::istreambuf_iterator<char>(binary), {}};
    const size_t pixels = labels_.size() * static_cast<size_t>(input_.elements());
    images_.assign(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(pixels));
    size_t at = pixels;
    for (const auto& entry : json["tensors"]) {
      NamedTensor tensor{entry["name"], {}, {}};
      for (const int64_t extent : entry["shape"]) tensor.shape.push_back(extent);
      tensor.values.resize(static_cast<size_t>(tensor.shape.elements()));
      const size_t bytes = tensor.values.size() * sizeof(float);
      if (at + bytes > data.size()) fail(Exit::integrity, "{}.bin is too short", path);
      std::memcpy(tensor.values.data(), data.data() + at, bytes);
      at += bytes;
      tensors.tensors.push_back(std::move(tensor));
    }
    if (at != data.size()) fail(Exit::integrity, "{}.bin is too long", path);
    graph = build_graph(json["net"], input_, json["classes"]);
  }

  Batch batch() const {
    Batch batch;
    batch.n = static_cast<int64_t>(labels_.size());
    batch.images = images_;
    batch.labels = labels_;
    return batch;
  }

  EngineOptions options(bool training) const {
    EngineOptions options;
    options.batch = batch().n;
    options.threads = 1;
    options.training = training;
    options.mean = json["mean"].get<std::vector<float>>();
    options.std = json["std"].get<std::vector<float>>();
    return options;
  }

  StepSettings settings(const std::vector<float>& rates, const std::vector<float>& decays) const {
    StepSettings settings;
    settings.rates = rates;
    settings.decays = decays;
    settings.label_smoothing = json["label_smoothing"];
    settings.sum_loss = json["sum_loss"];
    return settings;
  }

  nlohmann::json json;
  ParameterSet tensors;
  Graph graph;

 private:
  Shape input_;
  std::vector<int32_t> labels_;
  std::vector<uint8_t> images_;
};

// PyTorch's float32 records against double precision, and against fp32 engines after one pass and after ten updates;
// Winograd's lost digits are in the latter two.
struct Tolerances {
  double once, ten_steps;
};
Tolerances tolerances_of(const std::string& device) {
  return device == "reference" ? Tolerances{1e-6, 1e-5} : Tolerances{2e-5, 1e-4};
}

using GoldenCase = std::pair<std::string, std::string>;  // device, network

class GoldenTest : public testing::TestWithParam<GoldenCase> {
 protected:
  std::unique_ptr<Engine> engine(const EngineOptions& options) const {
    auto made = compile_or_skip(golden.graph, GetParam().first, options);
    if (made) made->load(golden.tensors);
    return made;
  }

  const Golden golden{GetParam().second};
  const Tolerances tolerances = tolerances_of(GetParam().first);
};

TEST_P(GoldenTest, Answers) {
  for (const bool training : {false, true}) {
    const auto made = engine(golden.options(training));
    if (!made) return;
    std::vector<float> logits(static_cast<size_t>(golden.batch().n * golden.graph.classes));
    made->infer(golden.batch(), golden.graph.output(), logits);
    expect_near(logits, golden.tensors.at("logits").values, tolerances.once, "logits");
  }
}

TEST_P(GoldenTest, LossAndGradients) {
  if (!golden.json.contains("loss")) return;
  EngineOptions options = golden.options(true);
  options.optimizer.momentum = 0;
  const auto made = engine(options);
  if (!made) return;
  const std::vector<float> zeros(parameters_of(golden.graph).size(), 0.0F);
  const StepResult result = made->train_step(golden.batch(), golden.settings(zeros, zeros));
  EXPECT_NEAR(result.loss, golden.json["loss"].get<double>(), tolerances.once);
  const ParameterSet saved = made->save();
  int compared = 0;
  for (const NamedTensor& tensor : golden.tensors.tensors) {
    if (!tensor.name.starts_with("gradient:")) continue;
    const std::string name = tensor.name.substr(tensor.name.find(':') + 1);
    expect_near(saved.at(name + ".momentum").values, tensor.values, tolerances.once, tensor.name);
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

OptimizerSpec spec_of(const nlohmann::json& record) {
  OptimizerSpec spec;
  const std::map<std::string, OptimizerKind> kinds = {
      {"sgd", OptimizerKind::sgd}, {"adamw", OptimizerKind::adamw}, {"muon", OptimizerKind::muon}};
  spec.kind = kinds.at(record["name"]);
  spec.momentum = record.value("momentum", 0.0F);
  spec.other_momentum = record.value("other_momentum", 0.0F);
  spec.beta1 = record.value("beta1", 0.0F);
  spec.beta2 = record.value("beta2", 0.0F);
  spec.epsilon = record.value("epsilon", 0.0F);
  return spec;
}

TEST_P(GoldenTest, TenStepsOfEachOptimizer) {
  if (!golden.json.contains("optimizers")) return;
  for (const auto& record : golden.json["optimizers"]) {
    const std::string name = record["name"];
    EngineOptions options = golden.options(true);
    options.optimizer = spec_of(record);
    const auto made = engine(options);
    if (!made) return;
    std::vector<float> rates, decays;
    for (const ParameterRef& ref : parameters_of(golden.graph)) {
      const bool other = name == "muon" && !ref.matrix;
      rates.push_back(record[other ? "other_rate" : "rate"]);
      decays.push_back(ref.name.ends_with("/kernel") ? record["decay"].get<float>() : 0.0F);
    }
    StepSettings settings = golden.settings(rates, decays);
    for (const double loss : record["losses"]) {
      EXPECT_NEAR(made->train_step(golden.batch(), settings).loss, loss, tolerances.ten_steps * std::max(1.0, loss))
          << name << ", step " << settings.step;
      ++settings.step;
    }
    const ParameterSet saved = made->save();
    for (const ParameterRef& ref : parameters_of(golden.graph)) {
      const std::string key = name + ":" + ref.name;
      expect_near(saved.at(ref.name).values, golden.tensors.at(key).values, tolerances.ten_steps, key);
    }
  }
}

std::vector<GoldenCase> cases() {
  std::vector<GoldenCase> all;
  for (const std::string& device : test_devices()) {
    for (const char* net : {"plain", "residual", "whiten", "winograd", "dropout"}) all.emplace_back(device, net);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Networks, GoldenTest, testing::ValuesIn(cases()),
                         [](const auto& golden) { return golden.param.first + "_" + golden.param.second; });

}  // namespace
}  // namespace lepton
