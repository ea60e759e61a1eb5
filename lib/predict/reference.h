#pragma once
// How a command line names samples: files, and datasets with the splits wanted of them.
#include <string>
#include <vector>

#include "data/dataset.h"
#include "predict/predictor.h"

namespace lepton {

// Whether an operand is standard input: "-", or a dataset from there as "-:split,...".
bool names_stdin(const std::string& operand);

// "DATA.h5:train,test" taken apart; without a split, test. A file of exactly that name goes first.
struct DatasetReference {
  std::string path;
  std::vector<Split> splits;
};
// Error(usage) for a split that is none, Error(no_input) if there is no such file.
DatasetReference parse_dataset_reference(const std::string& operand);

// Whether an operand is a dataset and not a file to decode: by content, or because it names a split. "-" is copied
// aside first, so that it can be read again under that name. False for what cannot be read.
bool names_dataset(const std::string& operand);

// The split, or Error(no_input) saying which there are.
const SplitData& require_split(const Dataset& dataset, Split which);

// Error(mismatch) unless the model can read the dataset's samples: shape, type, and how they were resized.
void check_samples(const Predictor& predictor, const Dataset& dataset);

// The model's class index of each class of the dataset, by name. Error(mismatch) naming classes the model lacks.
std::vector<int32_t> map_classes(const Predictor& predictor, const Dataset& dataset);

}  // namespace lepton
