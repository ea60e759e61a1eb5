#pragma once
// The option table of lepton-train.
#include <map>
#include <string>
#include <vector>

#include "cli/options.h"

namespace lepton {

struct TrainCommand {
  std::string data, output, net, augment, init, checkpoint, log;
  double checkpoint_every = 60;
  bool resume = false, list_nets = false, list_layers = false, list_devices = false, summary = false, profile = false;
  std::map<std::string, std::string> settings;  // training options given, by long name
};

void add_train_options(CommandLine& line, TrainCommand& command);

}  // namespace lepton
