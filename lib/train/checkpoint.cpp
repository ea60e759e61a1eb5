#include "train/checkpoint.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace lepton {
namespace {

constexpr const char* kBest = "best/";

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
  j["trained"] = s.trained;
  j["seconds"] = s.seconds;
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
  j.at("trained").get_to(s.trained);
  j.at("seconds").get_to(s.seconds);
  j.at("mirror").get_to(s.mirror);
  return s;
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
  if (!c.log.empty()) model.state_text["log"] = c.log;
  write_model(path, model);
}

std::optional<Checkpoint> read_checkpoint(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  Model model = read_model(path);
  for (const char* key : {"position", "options", "dataset"}) {
    if (model.state_text.contains(key)) continue;
    fail(Exit::mismatch,
         "{}: is a model (the best of a run that ended early?), not a checkpoint; start from it with --init", path);
  }
  Checkpoint c;
  try {
    c.state = parse_state(model.state_text["position"]);
  } catch (const nlohmann::json::exception& error) {
    fail(Exit::integrity, "{}: /state/position: {}", path, error.what());
  }
  c.options = model.state_text["options"];
  c.dataset = model.state_text["dataset"];
  c.log = model.state_text["log"];
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

}  // namespace lepton
