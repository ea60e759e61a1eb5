// The network and recipe for data about which nothing was said.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "net/graph.h"
#include "net/presets.h"

namespace lepton {
namespace {

// Stages of two convolutions, halved by pooling as long as the map allows; widths double to at most four times the
// first. Large images are halved by strided convolutions before anything costly.
std::string staged_net(const Shape& shape, int64_t width) {
  std::string net;
  int64_t side = std::min(shape[0], shape[1]);
  while (side > 48) {
    net += fmt::format("conv {} 3x3 stride=2 bn relu\n", width);
    side = (side + 1) / 2;
  }
  int64_t filters = width;
  for (int stage = 0; stage < 3; ++stage) {
    net += fmt::format("conv {} 3x3 bn relu\n", filters);
    if (stage > 0) net += fmt::format("conv {} 3x3 bn relu\n", filters);
    if (side >= 4 && stage < 2) {
      net += "maxpool 2\n";
      side /= 2;
    }
    filters *= 2;
  }
  return net + "globalpool max\ndense classes\n";
}

}  // namespace

Preset default_preset(const Shape& shape, int64_t classes, int64_t samples) {
  // Training on two cores at an assumed 200 GFLOP/s, three forward passes a sample and epoch.
  constexpr double kFlopsPerSecond = 200e9;
  if (shape.rank() < 3 || std::min(shape[0], shape[1]) < 4) {
    Preset preset = *find_preset("mlp");
    preset.defaults[0].second = std::to_string(std::clamp<int64_t>(400'000 / std::max<int64_t>(samples, 1), 10, 100));
    preset.defaults[1].second = samples < 2000 ? "32" : "128";
    return preset;
  }
  const bool colour = shape[2] > 1;
  if (colour && samples >= 10'000 && std::min(shape[0], shape[1]) >= 24 && std::max(shape[0], shape[1]) <= 40) {
    return *find_preset("speed94");
  }
  Preset preset;
  preset.name = "default";
  preset.description = "chosen by the size and number of the images";
  preset.net = staged_net(shape, 32);
  const auto flops = static_cast<double>(build_graph(preset.net, shape, classes).forward_flops());
  const double seconds = colour ? 1000 : 150;
  const double affordable =
      seconds * kFlopsPerSecond / (3 * flops * static_cast<double>(std::max<int64_t>(samples, 1)));
  preset.defaults = {{"epochs", std::to_string(std::clamp<int64_t>(static_cast<int64_t>(affordable), 3, 40))},
                     {"batch", samples < 2000 ? "32" : "128"},
                     {"optimizer", "sgd"},
                     {"lr", samples < 2000 ? "0.05" : "0.1"},
                     {"momentum", "0.9"},
                     {"weight-decay", "0.0005"},
                     {"schedule", "one-cycle"},
                     {"warmup", "0.2"},
                     {"shift", "2"},
                     {"flip", "auto"},
                     {"cutout", "0"}};
  return preset;
}

}  // namespace lepton
