#include "net/layers.h"

namespace lepton {

std::span<const LayerRow> layer_table() {
  static const std::vector<LayerRow> kTable = {
      {"embed",
       "embed D [init=I] [lr=F] [freeze]",
       "first layer of texts, and only there: D values for each token, from a table that is learned; padding gives "
       "zeros",
       1,
       1,
       false,
       {"init", "lr"},
       {"freeze"}},
      {"conv",
       "conv N KxK|K [stride=S] [valid|pad=P] [dilation=D] [bias|nobias] [init=I] [lr=F] [freeze]",
       "convolution with N filters of K by K, or over K positions of a sequence; the map keeps its size divided by the "
       "stride (padding `same`) unless valid or pad= says otherwise",
       2,
       2,
       false,
       {"stride", "pad", "dilation", "init", "lr"},
       {"valid", "same", "bias", "nobias", "freeze"}},
      {"dwconv",
       "dwconv KxK|K [stride=S] [valid|pad=P] [dilation=D] [bias|nobias] [init=I] [lr=F] [freeze]",
       "depthwise convolution: one filter of K by K for each channel, which reads that channel alone; the rest as conv",
       1,
       1,
       false,
       {"stride", "pad", "dilation", "init", "lr"},
       {"valid", "same", "bias", "nobias", "freeze"}},
      {"dense",
       "dense N|classes [bias|nobias] [init=I] [lr=F] [freeze]",
       "fully connected layer with N outputs; a map is flattened first, in the order height, width, channel",
       1,
       1,
       false,
       {"init", "lr"},
       {"bias", "nobias", "freeze"}},
      {"whiten",
       "whiten KxK [nobias] [bias-epochs=E] [lr=F] [freeze]",
       "first layer only: valid convolution with 2*K*K*C frozen filters, the whitening transform of the training "
       "images' patches and its negative; the bias is trained",
       1,
       1,
       false,
       {"bias-epochs", "lr"},
       {"bias", "nobias", "freeze"}},
      {"maxpool",
       "maxpool K [stride=S]",
       "largest value of each window of K by K, or of K positions of a sequence; stride K unless given; what does not "
       "fill a window is left out",
       1,
       1,
       false,
       {"stride"},
       {}},
      {"avgpool",
       "avgpool K [stride=S]",
       "mean of each window of K by K, or of K positions of a sequence; stride K unless given; what does not fill a "
       "window is left out",
       1,
       1,
       false,
       {"stride"},
       {}},
      {"globalpool",
       "globalpool max|avg",
       "largest value or mean of each channel over the whole map",
       1,
       1,
       false,
       {},
       {}},
      {"bn",
       "bn [eps=F] [keep=F] [scale=fixed] [lr=F] [freeze]",
       "batch normalisation, eps 1e-5; the running mean and variance keep 0.9 of their old value each step; "
       "scale=fixed holds gamma at 1",
       0,
       0,
       true,
       {"eps", "keep", "scale", "lr"},
       {"freeze"}},
      {"relu", "relu", "max(x, 0)", 0, 0, true, {}, {}},
      {"gelu", "gelu", "x times the normal distribution function of x, the exact form with erf", 0, 0, true, {}, {}},
      {"silu", "silu", "x / (1 + exp(-x))", 0, 0, true, {}, {}},
      {"dropout",
       "dropout R",
       "in training, sets the share R of the values to 0 and divides the others by 1 - R",
       1,
       1,
       false,
       {},
       {}},
      {"flatten", "flatten", "a map as one row of numbers, in the order height, width, channel", 0, 0, false, {}, {}},
      {"scale", "scale F|A/B", "multiplies by a fixed number, such as 0.125 or 1/256", 1, 1, false, {}, {}},
      {"residual",
       "residual [project] { ... }",
       "adds the block's input to its output, which must have the same shape; project puts a 1x1 convolution with "
       "batch normalisation, with the stride that fits, on the way around, so that shapes may differ",
       0,
       0,
       false,
       {},
       {"project"},
       true},
      {"parallel",
       "parallel { ... | ... }",
       "two or more branches, a line `|` between them, that all read what comes before; what they give is joined along "
       "the channels in the order written, height and width must agree",
       0,
       0,
       false,
       {},
       {},
       true},
  };
  return kTable;
}

const LayerRow* find_layer(std::string_view word) {
  for (const LayerRow& row : layer_table()) {
    if (word == row.word) return &row;
  }
  return nullptr;
}

std::vector<std::string> layer_words() {
  std::vector<std::string> words;
  for (const LayerRow& row : layer_table()) words.emplace_back(row.word);
  return words;
}

std::span<const LayerOptionRow> layer_options() {
  static const std::vector<LayerOptionRow> kOptions = {
      {"stride=S", "step of the window, S or SxS (height by width); 1 for convolutions, K for pools"},
      {"valid", "no padding: only windows that lie inside the map"},
      {"same", "the default: zeros so that the output is ceil(size / stride); an odd zero goes right and below"},
      {"pad=P", "P zeros on every side, or PxQ above and below by left and right"},
      {"dilation=D", "distance between the points of the window, 1 unless given"},
      {"bias, nobias", "with or without a bias; without one where a bn follows, directly or past pools, else with"},
      {"init=I",
       "initial values: he (normal, variance 2 / fan-in, bias 0; the default), torch (kernel and bias uniform "
       "within 1 / sqrt(fan-in)), dirac (torch, with the identity on the first filters, or on all of dwconv), unit "
       "(torch, divided "
       "by its standard deviation); of embed: normal (deviation 0.1, the default) or uniform (within 1 / D)"},
      {"lr=F", "multiplies the learning rate of this layer's parameters"},
      {"freeze", "this layer's parameters keep their initial or loaded values"},
      {"bias-epochs=E", "the bias is trained for E epochs, its rate falling to 0; 0, the default, is to the end"},
      {"eps=F", "added to the variance before the square root"},
      {"keep=F", "share of the old running statistics kept each step"},
      {"scale=fixed", "gamma stays 1; beta is trained"},
  };
  return kOptions;
}

}  // namespace lepton
