#include "net/presets.h"

#include <algorithm>

#include "base/text.h"

namespace lepton {
namespace {

constexpr const char* kTextbook = R"(conv 32 3x3 relu
maxpool 2
dense classes
)";

constexpr const char* kMlp = R"(dense 256 bn relu
dropout 0.2
dense 128 bn relu
dropout 0.2
dense classes
)";

constexpr const char* kCnn6 = R"(conv 32 3x3 bn relu
conv 32 3x3 bn relu
maxpool 2
conv 64 3x3 bn relu
conv 64 3x3 bn relu
maxpool 2
conv 128 3x3 bn relu
conv 128 3x3 bn relu
maxpool 2
globalpool avg
dense classes
)";

constexpr const char* kResnet9 = R"(conv 64 3x3 bn relu
conv 128 3x3 bn relu
maxpool 2
residual {
  conv 128 3x3 bn relu
  conv 128 3x3 bn relu
}
conv 256 3x3 bn relu
maxpool 2
conv 512 3x3 bn relu
maxpool 2
residual {
  conv 512 3x3 bn relu
  conv 512 3x3 bn relu
}
globalpool max
dense classes
)";

constexpr const char* kSpeed94 = R"(whiten 2x2 bias-epochs=3
gelu
conv 64 3x3 init=dirac
maxpool 2
bn scale=fixed eps=1e-12 keep=0.6 gelu
conv 64 3x3 init=dirac bn scale=fixed eps=1e-12 keep=0.6 gelu
conv 256 3x3 init=dirac
maxpool 2
bn scale=fixed eps=1e-12 keep=0.6 gelu
conv 256 3x3 init=dirac bn scale=fixed eps=1e-12 keep=0.6 gelu
conv 256 3x3 init=dirac
maxpool 2
bn scale=fixed eps=1e-12 keep=0.6 gelu
conv 256 3x3 init=dirac bn scale=fixed eps=1e-12 keep=0.6 gelu
maxpool 3
dense classes nobias init=unit
scale 1/256
)";

std::vector<Preset> make_presets() {
  // One-cycle SGD with Nesterov momentum, as the DAWNBench entries for CIFAR-10 trained it.
  const auto one_cycle = [](const char* epochs, const char* cutout) {
    return std::vector<std::pair<std::string, std::string>>{
        {"epochs", epochs},  {"batch", "128"},           {"optimizer", "sgd"},      {"lr", "0.1"},
        {"momentum", "0.9"}, {"weight-decay", "0.0005"}, {"schedule", "one-cycle"}, {"warmup", "0.2"},
        {"shift", "4"},      {"flip", "auto"},           {"cutout", cutout}};
  };
  return {
      {"textbook",
       "one convolution, one pool, one dense layer: the first network of a course",
       kTextbook,
       {{"epochs", "20"},
        {"batch", "128"},
        {"optimizer", "adamw"},
        {"lr", "0.001"},
        {"weight-decay", "0"},
        {"schedule", "constant"},
        {"shift", "0"},
        {"flip", "none"},
        {"cutout", "0"}}},
      {"mlp",
       "two hidden dense layers: for rows of numbers and very small images",
       kMlp,
       {{"epochs", "20"},
        {"batch", "128"},
        {"optimizer", "adamw"},
        {"lr", "0.002"},
        {"weight-decay", "0.01"},
        {"schedule", "one-cycle"},
        {"warmup", "0.2"},
        {"shift", "0"},
        {"flip", "none"},
        {"cutout", "0"}}},
      {"cnn6", "six convolutions in three widths: small, quick, good", kCnn6, one_cycle("20", "0")},
      {"resnet9", "nine layers with two residual blocks: the most accurate, and slow on a CPU", kResnet9,
       one_cycle("24", "8")},
      {"speed94",
       "whitened input, seven layers, Muon: the most accuracy for the time (Jordan 2024, airbench94)",
       kSpeed94,
       {{"epochs", "8"},
        {"batch", "2000"},
        {"optimizer", "muon"},
        {"lr", "0.24"},
        {"bias-lr", "0.053"},
        {"head-lr", "0.67"},
        {"momentum", "0.6"},
        {"other-momentum", "0.85"},
        {"weight-decay", "0"},
        // 2e-6 x batch / rate, as the recipe has it; scale_decays keeps to that for other batches and rates.
        {"bias-decay", "0.0754717"},
        {"head-decay", "0.00597015"},
        {"schedule", "linear"},
        {"warmup", "0"},
        {"label-smoothing", "0.2"},
        {"loss", "sum"},
        {"shift", "2"},
        {"flip", "alternate"},
        {"cutout", "0"}}},
  };
}

}  // namespace

std::span<const Preset> presets() {
  static const std::vector<Preset> kPresets = make_presets();
  return kPresets;
}

const Preset* find_preset(std::string_view name) {
  for (const Preset& preset : presets()) {
    if (name == preset.name) return &preset;
  }
  return nullptr;
}

Preset fitted(const Preset& preset, const Shape& shape) {
  const int64_t side = shape.rank() == 3 ? std::min(shape[0], shape[1]) : 0;
  Preset result = preset;
  for (auto& [name, value] : result.defaults) {
    const int64_t most = name == "shift" ? side / 8 : side / 4;
    if (name == "shift" || name == "cutout") value = std::to_string(std::min(most, parse_int(value).value_or(0)));
    if (name == "flip" && side < 2) value = "none";
  }
  return result;
}

}  // namespace lepton
