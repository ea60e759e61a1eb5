#pragma once
// A run that can go on: parameters, optimiser state, position, the best model so far.
#include <optional>
#include <string>

#include "data/dataset.h"
#include "data/model.h"
#include "engine/engine.h"

namespace lepton {

struct TrainState {
  int64_t epoch = 0, step = 0;  // epochs finished; steps done of the one begun
  double loss_sum = 0;          // over the samples seen in this epoch
  int64_t correct = 0, seen = 0;
  double train_loss = 0, train_accuracy = 0;  // of the last whole epoch
  double best_accuracy = 0, best_loss = 0;
  int64_t best_epoch = 0;
  int64_t trained = 0;  // samples of the last whole epoch
  double seconds = 0;   // spent so far, for --time
  int mirror = 0;       // --augment auto: 0 undecided, 1 mirroring joined, 2 it did not
};

struct Checkpoint {
  TrainState state;
  ParameterSet parameters;  // as Engine::save
  ParameterSet best;
  std::string options, net, dataset;  // must agree on resume
  std::string log;                    // one JSON object a line and epoch
};

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint, const DatasetMeta& meta,
                      const Graph& graph);
// nullopt if there is no such file; mismatch if it is a model and no checkpoint.
std::optional<Checkpoint> read_checkpoint(const std::string& path);

}  // namespace lepton
