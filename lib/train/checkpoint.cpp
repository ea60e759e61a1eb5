#include "train/checkpoint.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace lepton {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainState, epoch, step, loss_sum, correct, seen, train_loss, train_accuracy,
                                   best_accuracy, best_loss, best_epoch, trained, seconds, mirror)

namespace {

constexpr const char* kBest = "best/";

// "conv1/kernel.momentum" and "optimizer.steps" are state, "conv1/kernel" is not.
bool is_state(const std::string& name) { return name.substr(name.rfind('/') + 1).find('.') != std::string::npos; }

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
  model.state_text = {{"position", nlohmann::json(c.state).dump()}, {"options", c.options}, {"dataset", c.dataset}};
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
    c.state = nlohmann::json::parse(model.state_text["position"]).get<TrainState>();
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
