#include "net/presets.h"

#include <algorithm>

#include "base/error.h"
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

// x + dense(dropout(relu(dense(bn(x))))), after Gorishniy et al. 2021.
constexpr const char* kResmlp = R"(dense 128
residual {
  bn
  dense 256 relu
  dropout 0.2
  dense 128
}
residual {
  bn
  dense 256 relu
  dropout 0.2
  dense 128
}
bn relu
dense classes
)";

constexpr const char* kKws = R"(conv 32 3x3 stride=2 bn relu
residual {
  conv 32 3x3 bn relu
  conv 32 3x3 bn
} relu
residual project {
  conv 48 3x3 stride=2 bn relu
  conv 48 3x3 bn
} relu
residual project {
  conv 64 3x3 stride=2 bn relu
  conv 64 3x3 bn
} relu
globalpool avg
dropout 0.2
dense classes
)";

constexpr const char* kDscnn = R"(conv 64 10x4 stride=2 bn relu
dwconv 3x3 bn relu
conv 64 1x1 bn relu
dwconv 3x3 bn relu
conv 64 1x1 bn relu
dwconv 3x3 bn relu
conv 64 1x1 bn relu
dwconv 3x3 bn relu
conv 64 1x1 bn relu
globalpool avg
dropout 0.2
dense classes
)";

constexpr const char* kTextcnn = R"(embed 128
parallel {
  conv 100 3 relu
  globalpool max
  |
  conv 100 4 relu
  globalpool max
  |
  conv 100 5 relu
  globalpool max
}
dropout 0.5
dense classes
)";

constexpr const char* kFasttext = R"(embed 16 init=uniform
globalpool avg
dense classes
)";

using Options = std::vector<std::pair<std::string, std::string>>;

Preset preset_of(const char* name, const char* description, std::vector<SampleKind> kinds, const char* net,
                 Options defaults) {
  return {name, description, net, std::move(defaults), std::move(kinds)};
}

Options adamw(const char* epochs, const char* batch, const char* lr, const char* decay) {
  return {
      {"epochs", epochs},        {"batch", batch},  {"optimizer", "adamw"}, {"lr", lr},       {"weight-decay", decay},
      {"schedule", "one-cycle"}, {"warmup", "0.2"}, {"shift", "0"},         {"flip", "none"}, {"cutout", "0"}};
}

// The networks of what is no image.
std::vector<Preset> other_presets() {
  Options frames = adamw("30", "64", "0.003", "0.01");
  for (auto& [name, value] : frames) {
    if (name == "shift") value = "10";
    if (name == "cutout") value = "8";
  }
  return {
      preset_of("resmlp", "dense layers in two residual blocks with batch-norm: for rows of numbers", {SampleKind::row},
                kResmlp, adamw("20", "128", "0.001", "0.01")),
      preset_of("kws", "a residual CNN of seven layers over time and frequency: for spoken words", {SampleKind::frames},
                kKws, frames),
      preset_of("dscnn",
                "depthwise separable convolutions over time and frequency, small and quick (Zhang et al. 2017)",
                {SampleKind::frames}, kDscnn, frames),
      preset_of("textcnn", "convolutions over three, four and five words, largest over the text (Kim 2014)",
                {SampleKind::text}, kTextcnn, adamw("10", "64", "0.001", "0.01")),
      preset_of("fasttext", "mean of the words' vectors and one dense layer, as fastText (Joulin et al. 2016)",
                {SampleKind::text}, kFasttext, adamw("15", "64", "0.01", "0")),
  };
}

std::vector<Preset> make_presets() {
  // One-cycle SGD with Nesterov momentum, as the DAWNBench entries for CIFAR-10 trained it.
  const auto one_cycle = [](const char* epochs, const char* cutout) {
    return std::vector<std::pair<std::string, std::string>>{
        {"epochs", epochs},  {"batch", "128"},           {"optimizer", "sgd"},      {"lr", "0.1"},
        {"momentum", "0.9"}, {"weight-decay", "0.0005"}, {"schedule", "one-cycle"}, {"warmup", "0.2"},
        {"shift", "4"},      {"flip", "auto"},           {"cutout", cutout}};
  };
  std::vector<Preset> presets = {
      preset_of("textbook", "one convolution, one pool, one dense layer: the first network of a course",
                {SampleKind::image}, kTextbook,
                {{"epochs", "20"},
                 {"batch", "128"},
                 {"optimizer", "adamw"},
                 {"lr", "0.001"},
                 {"weight-decay", "0"},
                 {"schedule", "constant"},
                 {"shift", "0"},
                 {"flip", "none"},
                 {"cutout", "0"}}),
      preset_of("mlp", "two hidden dense layers: for rows of numbers and very small images",
                {SampleKind::row, SampleKind::image, SampleKind::frames}, kMlp, adamw("20", "128", "0.002", "0.01")),
      preset_of("cnn6", "six convolutions in three widths: small, quick, good", {SampleKind::image}, kCnn6,
                one_cycle("20", "0")),
      preset_of("resnet9", "nine layers with two residual blocks: the most accurate, and slow on a CPU",
                {SampleKind::image}, kResnet9, one_cycle("24", "8")),
      preset_of("speed94",
                "whitened input, seven layers, Muon: the most accuracy for the time (Jordan 2024, airbench94)",
                {SampleKind::image}, kSpeed94,
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
                 {"cutout", "0"}}),
  };
  for (Preset& preset : other_presets()) presets.push_back(std::move(preset));
  return presets;
}

}  // namespace

SampleKind kind_of(const Shape& sample, int64_t tokens) {
  if (tokens > 0) return SampleKind::text;
  if (sample.rank() == 3) return SampleKind::image;
  return sample.rank() == 2 ? SampleKind::frames : SampleKind::row;
}

const char* plural_of(SampleKind kind) {
  switch (kind) {
    case SampleKind::image:
      return "images";
    case SampleKind::row:
      return "rows";
    case SampleKind::frames:
      return "frames";
    case SampleKind::text:
      return "texts";
  }
  fail(Exit::bug, "a kind of samples without a name");
}

void require_kind(const Preset& preset, SampleKind kind) {
  const auto is_for = [kind](const Preset& p) {
    return std::find(p.kinds.begin(), p.kinds.end(), kind) != p.kinds.end();
  };
  if (preset.kinds.empty() || is_for(preset)) return;
  std::string own, others;
  for (const SampleKind each : preset.kinds) own += (own.empty() ? "" : ", ") + std::string(plural_of(each));
  for (const Preset& each : presets()) {
    if (is_for(each)) others += (others.empty() ? "" : ", ") + each.name;
  }
  fail(Exit::usage, "the network {} is for {}; this data has {}, for which there are {}", preset.name, own,
       plural_of(kind), others);
}

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
  const int64_t side = shape.rank() >= 2 ? std::min(shape[0], shape[1]) : 0;
  const int64_t shifted = shape.rank() == 2 ? shape[0] : side;  // frames move in time alone
  Preset result = preset;
  for (auto& [name, value] : result.defaults) {
    const int64_t most = name == "shift" ? shifted / 8 : side / 4;
    if (name == "shift" || name == "cutout") value = std::to_string(std::min(most, parse_int(value).value_or(0)));
    if (name == "flip" && (side < 2 || shape.rank() == 2)) value = "none";
  }
  return result;
}

}  // namespace lepton
