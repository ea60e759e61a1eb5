// The network and recipe for data about which nothing was said.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "net/graph.h"
#include "net/presets.h"

namespace lepton {
namespace {

// Three convolutions with a pool behind each as long as the map allows, then a residual block; widths doubling. Axes
// longer than 48 are halved by strided convolutions before anything costly.
std::string staged_net(const Shape& shape) {
  constexpr int64_t kWidth = 32;
  std::string net;
  int64_t height = shape[0], columns = shape[1];
  while (std::max(height, columns) > 48) {
    const int64_t down = height > 48 ? 2 : 1, across = columns > 48 ? 2 : 1;
    net += fmt::format("conv {} 3x3 stride={}x{} bn relu\n", kWidth, down, across);
    height = (height + down - 1) / down;
    columns = (columns + across - 1) / across;
  }
  for (int stage = 0; stage < 3; ++stage) {
    net += fmt::format("conv {} 3x3 bn relu\n", kWidth << stage);
    if (std::min(height, columns) < 4) continue;
    net += "maxpool 2\n";
    height /= 2;
    columns /= 2;
  }
  net += fmt::format("residual {{\n  conv {0} 3x3 bn relu\n  conv {0} 3x3 bn relu\n}}\n", kWidth << 2);
  return net + "globalpool max\ndense classes\n";
}

// Strided convolutions over time until a residual block is cheap: for frames of few numbers, such as raw waves.
std::string wave_net(int64_t frames) {
  std::string net;
  int64_t width = 32;
  for (; frames > 64; frames = (frames + 3) / 4, width = std::min<int64_t>(2 * width, 128)) {
    net += fmt::format("conv {} 9 stride=4 bn relu\n", width);
  }
  net += fmt::format("conv {} 3 bn relu\n", width);
  net += fmt::format("residual {{\n  conv {0} 3 bn relu\n  conv {0} 3 bn\n}} relu\n", width);
  return net + "globalpool avg\ndropout 0.2\ndense classes\n";
}

constexpr int64_t kFewRows = 4000;

// Of two cores in training, assumed: less where convolutions are narrow and memory is the limit.
constexpr double kWideFlops = 200e9, kNarrowFlops = 170e9;

// Epochs that `seconds` allow, backward being twice the work of forward, but no more than learning from few samples
// asks for: about 3,000 updates.
std::string epochs_for(const std::string& net, const Shape& shape, int64_t classes, int64_t samples, int64_t batch,
                       double work, int64_t tokens = 0) {
  const auto flops = 3.0 * static_cast<double>(build_graph(net, shape, classes, tokens).forward_flops());
  const int64_t wanted = std::clamp<int64_t>(3000 * batch / samples, 20, 100);
  const double affordable = std::min(1e6, work / (flops * static_cast<double>(samples)));
  return std::to_string(std::clamp<int64_t>(static_cast<int64_t>(affordable), 1, wanted));
}

void set_option(Preset& preset, const std::string& name, const std::string& value) {
  for (auto& [known, old] : preset.defaults) {
    if (known == name) old = value;
  }
}

// Wide and deep (Cheng et al. 2016, arXiv:1606.07792): what is linear goes past two hidden layers, so that few rows are
// answered no worse than by a linear model. The fewer rows, the less freedom: narrower layers, more dropout and decay.
// A running average of the weights answers, that of least validation loss, which says more than the accuracy of a
// hundred rows, and of rare classes.
Preset default_for_rows(const Shape& shape, int64_t classes, int64_t samples) {
  const bool few = samples < kFewRows;
  const int64_t batch = few ? 32 : 128;
  Preset preset;
  preset.name = "default";
  preset.description = "chosen by the number of rows";
  preset.net = fmt::format(
      "parallel {{\n  scale 1\n  |\n  dense {0} bn relu\n  dropout {2}\n  dense {1} bn relu\n  dropout {2}\n}}\n"
      "dense classes\n",
      few ? 128 : 256, few ? 64 : 128, few ? 0.5 : 0.2);
  preset.defaults = {{"epochs", epochs_for(preset.net, shape, classes, samples, batch, 120 * kNarrowFlops)},
                     {"batch", std::to_string(batch)},
                     {"optimizer", "adamw"},
                     {"lr", "0.002"},
                     {"weight-decay", few ? "1" : "0.1"},
                     {"schedule", "one-cycle"},
                     {"warmup", "0.2"},
                     {"ema", few ? "0.99" : "0.995"},
                     {"best", "loss"},
                     {"shift", "0"},
                     {"flip", "none"},
                     {"cutout", "0"}};
  return preset;
}

Preset default_for_frames(const Shape& shape, int64_t classes, int64_t samples) {
  Preset preset = *find_preset("kws");
  if (shape[1] < 4) {
    preset.name = "default";
    preset.description = "chosen by the number of frames";
    preset.net = wave_net(shape[0]);
  }
  const int64_t batch = samples < 2000 ? 32 : 64;
  set_option(preset, "batch", std::to_string(batch));
  set_option(preset, "epochs", epochs_for(preset.net, shape, classes, samples, batch, 600 * kNarrowFlops));
  return fitted(preset, shape);
}

// A bag where order is lost already or is too long for convolutions: many hashed n-grams, long texts.
Preset default_for_texts(const Shape& shape, int64_t classes, int64_t samples, int64_t tokens, bool is_bag) {
  const bool bag = is_bag || tokens > 65'536 || shape[0] > 400;
  Preset preset = *find_preset(bag ? "fasttext" : "textcnn");
  const int64_t batch = samples < 5000 ? 32 : 64, most = bag ? 8 : 10;
  set_option(preset, "batch", std::to_string(batch));
  const std::string epochs = epochs_for(preset.net, shape, classes, samples, batch, 600 * kNarrowFlops, tokens);
  if (parse_int(epochs).value_or(1) < most || samples < 5000) set_option(preset, "epochs", epochs);
  return preset;
}

}  // namespace

Preset default_preset(const Shape& shape, int64_t classes, int64_t samples, int64_t tokens, bool is_bag) {
  samples = std::max<int64_t>(samples, 1);
  if (tokens > 0) return default_for_texts(shape, classes, samples, tokens, is_bag);
  if (shape.rank() == 2) return default_for_frames(shape, classes, samples);
  if (shape.rank() == 1) return default_for_rows(shape, classes, samples);
  const int64_t batch = samples < 2000 ? 32 : 128;
  const bool map = shape.rank() == 3 && std::min(shape[0], shape[1]) >= 4;
  if (!map) {
    Preset preset = *find_preset("mlp");
    set_option(preset, "epochs", epochs_for(preset.net, shape, classes, samples, batch, 120 * kNarrowFlops));
    set_option(preset, "batch", std::to_string(batch));
    return fitted(preset, shape);
  }
  const bool colour = shape[2] > 1;
  if (colour && samples >= 10'000 && std::min(shape[0], shape[1]) >= 26 && std::max(shape[0], shape[1]) <= 40) {
    Preset preset = *find_preset("speed94");
    set_option(preset, "epochs", epochs_for(preset.net, shape, classes, samples, batch, 1200 * kWideFlops));
    set_option(preset, "flip", "auto");
    return preset;
  }
  Preset preset;
  preset.name = "default";
  preset.description = "chosen by the size and number of the images";
  preset.net = staged_net(shape);
  const double work = colour ? 1000 * kWideFlops : 150 * kNarrowFlops;
  preset.defaults = {{"epochs", epochs_for(preset.net, shape, classes, samples, batch, work)},
                     {"batch", std::to_string(batch)},
                     {"optimizer", "sgd"},
                     {"lr", samples < 2000 ? "0.05" : "0.1"},
                     {"momentum", "0.9"},
                     {"weight-decay", "0.0005"},
                     {"schedule", "one-cycle"},
                     {"warmup", "0.2"},
                     {"shift", "2"},
                     {"flip", "auto"},
                     {"cutout", "0"}};
  return fitted(preset, shape);
}

}  // namespace lepton
