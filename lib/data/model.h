#pragma once
// The model file (FORMATS: lepton-model, version 1) and, with state, the checkpoint.
#include <map>
#include <string>
#include <vector>

#include "base/shape.h"
#include "base/tensor.h"
#include "data/dataset.h"

namespace lepton {

struct Model {
  std::string task = "image-classification";
  std::string net;       // the network's text, verbatim
  std::string graph;     // JSON, the expanded graph with shapes
  Shape input;           // of one sample; stored in /graph
  ParameterSet weights;  // "conv1/kernel" → /weights/conv1/kernel
  std::vector<std::string> classes;
  std::vector<float> mean, std;
  std::vector<float> target_mean, target_std;  // regression: answer = output * std + mean
  std::string recipe;                          // JSON
  RecipeParts parts;
  std::string metrics;                 // JSON: split → metric → value and interval
  std::string calibration;             // JSON: temperature, threshold; empty = none
  std::string provenance;              // JSON
  std::vector<float> selftest_x;       // [n, sample], stored values (u8 as float)
  std::vector<float> selftest_logits;  // [n, classes]
  // Checkpoints only (empty in a model):
  ParameterSet state;  // optimiser state, averages, best weights so far: "/state/tensors/<name>"
  std::map<std::string, std::string> state_text;  // "/state/<key>": step, position, log, options, as JSON or text

  std::string content_sha256;  // hex; computed by write_model, filled by read_model
};

// integrity (6): not HDF5, damaged, checksum wrong; mismatch (7): not a model, another major version. "-" = stdin.
Model read_model(const std::string& path);
struct H5Contents;
// Error(integrity): what a model file holds is not what was written.
void check_model_content(const H5Contents& file);
// Whole or not at all; equal content gives equal bytes. "-" = stdout, never a terminal (usage).
void write_model(const std::string& target, Model& model);

}  // namespace lepton
