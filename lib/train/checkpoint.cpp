#include "train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/random.h"

namespace lepton {
namespace {

constexpr const char* kBest = "best/";
constexpr int64_t kSelftestSamples = 4;

// "conv1/kernel.momentum" and "optimizer.steps" are state, "conv1/kernel" is not.
bool is_state(const std::string& name) { return name.substr(name.rfind('/') + 1).find('.') != std::string::npos; }

std::string state_json(const TrainState& s) {
  nlohmann::ordered_json j;
  j["epoch"] = s.epoch;
  j["step"] = s.step;
  j["loss_sum"] = s.loss_sum;
  j["correct"] = s.correct;
  j["seen"] = s.seen;
  j["train_loss"] = s.train_loss;
  j["train_accuracy"] = s.train_accuracy;
  j["best_accuracy"] = s.best_accuracy;
  j["best_loss"] = s.best_loss;
  j["best_epoch"] = s.best_epoch;
  j["mirror"] = s.mirror;
  return j.dump();
}

TrainState parse_state(const std::string& text) {
  const nlohmann::json j = nlohmann::json::parse(text);
  TrainState s;
  j.at("epoch").get_to(s.epoch);
  j.at("step").get_to(s.step);
  j.at("loss_sum").get_to(s.loss_sum);
  j.at("correct").get_to(s.correct);
  j.at("seen").get_to(s.seen);
  j.at("train_loss").get_to(s.train_loss);
  j.at("train_accuracy").get_to(s.train_accuracy);
  j.at("best_accuracy").get_to(s.best_accuracy);
  j.at("best_loss").get_to(s.best_loss);
  j.at("best_epoch").get_to(s.best_epoch);
  j.at("mirror").get_to(s.mirror);
  return s;
}

std::vector<float> answers(const Model& model, Engine& engine, const Graph& graph) {
  const auto elements = static_cast<size_t>(graph.input.elements()), classes = static_cast<size_t>(graph.classes);
  const size_t n = model.selftest_x.size() / elements;
  std::vector<float> logits(n * classes);
  std::vector<uint8_t> image(elements);
  for (size_t i = 0; i < n; ++i) {
    std::transform(model.selftest_x.begin() + static_cast<int64_t>(i * elements),
                   model.selftest_x.begin() + static_cast<int64_t>((i + 1) * elements), image.begin(),
                   [](float v) { return static_cast<uint8_t>(v); });
    Batch batch;
    batch.n = 1;
    batch.images = image;
    engine.infer(batch, graph.output(), std::span(logits).subspan(i * classes, classes));
  }
  return logits;
}

}  // namespace

void write_checkpoint(const std::string& path, const Checkpoint& c, const DatasetMeta& meta, const Graph& graph) {
  Model model;
  model.task = meta.task;
  model.net = c.net;
  model.graph = graph_json(graph);
  model.input = graph.input;
  model.classes = meta.classes;
  model.mean = meta.mean;
  model.std = meta.std;
  model.recipe = meta.recipe;
  for (const NamedTensor& tensor : c.parameters.tensors) {
    (is_state(tensor.name) ? model.state : model.weights).tensors.push_back(tensor);
  }
  for (const NamedTensor& tensor : c.best.tensors) {
    model.state.tensors.push_back({kBest + tensor.name, tensor.shape, tensor.values});
  }
  model.state_text = {{"position", state_json(c.state)}, {"options", c.options}, {"dataset", c.dataset}};
  write_model(path, model);
}

std::optional<Checkpoint> read_checkpoint(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  Model model = read_model(path);
  for (const char* key : {"position", "options", "dataset"}) {
    if (!model.state_text.contains(key)) fail(Exit::mismatch, "{}: is a model, not a checkpoint", path);
  }
  Checkpoint c;
  try {
    c.state = parse_state(model.state_text["position"]);
  } catch (const nlohmann::json::exception& error) {
    fail(Exit::integrity, "{}: /state/position: {}", path, error.what());
  }
  c.options = model.state_text["options"];
  c.dataset = model.state_text["dataset"];
  c.net = model.net;
  c.parameters = std::move(model.weights);
  for (NamedTensor& tensor : model.state.tensors) {
    if (tensor.name.starts_with(kBest)) {
      tensor.name.erase(0, std::string(kBest).size());
      c.best.tensors.push_back(std::move(tensor));
    } else {
      c.parameters.tensors.push_back(std::move(tensor));
    }
  }
  return c;
}

void add_selftest(Model& model, Engine& engine, const Graph& graph) {
  const int64_t elements = graph.input.elements();
  model.selftest_x.resize(static_cast<size_t>(kSelftestSamples * elements));
  for (size_t i = 0; i < model.selftest_x.size(); ++i) {
    model.selftest_x[i] = static_cast<float>(random4(0, Stream::sample, 0, i).v[0] >> 24);
  }
  model.selftest_logits = answers(model, engine, graph);
}

double selftest_error(const Model& model, Engine& engine, const Graph& graph) {
  if (model.selftest_x.empty()) return 0;
  const std::vector<float> now = answers(model, engine, graph);
  double worst = 0, scale = 1e-6;
  for (size_t i = 0; i < now.size(); ++i) {
    scale = std::max(scale, std::abs(static_cast<double>(model.selftest_logits[i])));
    worst = std::max(worst, std::abs(static_cast<double>(now[i]) - static_cast<double>(model.selftest_logits[i])));
  }
  return worst / scale;
}

}  // namespace lepton
