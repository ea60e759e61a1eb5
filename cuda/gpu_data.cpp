// Images for scripts/gpu-check: gpu_data DATASET.h5 DIRECTORY writes the train and test splits of a dataset of 32x32
// colour images in ten classes as records of CIFAR-10's binary files, DIRECTORY/data_batch.bin and test_batch.bin;
// shuffled, and no more than 18,000 and 3,000, which is 64 MB.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <vector>

#include "base/error.h"
#include "data/dataset.h"
#include "predict/scoring.h"
#include "train/batches.h"

namespace lepton {
namespace {

void write_records(const Dataset& data, Split which, int64_t most, const std::string& file) {
  const SplitData* split = data.split(which);
  if (split == nullptr || data.sample_shape() != Shape{32, 32, 3} || split->type() != ElementType::u8 ||
      data.meta().classes.size() > 10) {
    fail(Exit::mismatch, "{}: no 32x32 colour images in ten classes in train and test", data.path());
  }
  std::ofstream stream(file, std::ios::binary);
  std::vector<uint8_t> pixels(3072);
  const std::vector<int64_t> samples = labelled(*split);
  std::vector<int64_t> order = epoch_order(samples, 1, split->size(), 0, 0).samples;
  order.resize(static_cast<size_t>(std::min(most, std::ssize(order))));
  for (const int64_t index : order) {
    split->read(index, 1, pixels);
    stream.put(static_cast<char>(split->labels()[static_cast<size_t>(index)]));
    for (size_t plane = 0; plane < 3; ++plane) {
      for (size_t i = plane; i < pixels.size(); i += 3) stream.put(static_cast<char>(pixels[i]));
    }
  }
  if (!stream.flush()) fail(Exit::output, "cannot write {}", file);
}

}  // namespace
}  // namespace lepton

int main(int count, char** arguments) {
  try {
    if (count != 3) lepton::fail(lepton::Exit::usage, "gpu_data DATASET.h5 DIRECTORY");
    const auto data = lepton::Dataset::open(arguments[1]);
    const std::string directory = arguments[2];
    lepton::write_records(data, lepton::Split::train, 18000, directory + "/data_batch.bin");
    lepton::write_records(data, lepton::Split::test, 3000, directory + "/test_batch.bin");
    return 0;
  } catch (const lepton::Error& error) {
    std::cerr << "gpu_data: " << error.what() << "\n";
    return static_cast<int>(error.status());
  }
}
