#pragma once
// The table of layer tests: networks that put every layer kind and attribute through every engine. A new layer, or a
// new attribute of one, needs a row here.
#include <ostream>
#include <string_view>

#include "base/shape.h"

namespace lepton {

// How near the reference an engine must come, relative to a tensor's largest value.
enum class Exactness {
  direct,    // sums of products in fp32: 1e-5
  winograd,  // a 3x3 convolution of 16 or more channels, whose transforms lose up to two digits: 1e-4
};

struct LayerCase {
  const char* name;
  const char* net;
  Shape input;
  int64_t batch = 4;  // samples
  int64_t room = 4;   // samples the engine is compiled for
  Exactness exactness = Exactness::direct;
  float smoothing = 0;
  bool sum_loss = false;
  bool augmented = false;
  bool weighted = false;  // samples weigh differently and every third has no label
  bool targets = false;   // numbers are predicted (mse); weighted: every fourth is unknown
  int64_t tokens = 0;     // > 0: samples are texts of so many tokens
};

inline void PrintTo(const LayerCase& row, std::ostream* out) { *out << row.net; }

constexpr int64_t kCaseClasses = 5;

// A row of texts of `length` tokens out of 11, few enough that they repeat; the first is empty, the second full.
inline LayerCase text_case(const char* name, const char* net, int64_t length, int64_t batch = 6, int64_t room = 6,
                           Exactness exactness = Exactness::direct) {
  return {name, net, {length}, batch, room, exactness, 0, false, false, false, false, 11};
}

inline const LayerCase kLayerCases[] = {
    // The smallest: input, dense layer and loss.
    {"dense", "dense classes", {7}},
    {"dense_of_one_value", "dense classes", {1}},
    {"dense_without_bias", "dense classes nobias", {16}},
    {"dense_wide", "dense 24; dense 16; dense classes", {33}, 5, 8},
    {"dense_of_a_map", "dense 3; dense classes", {3, 5, 5}},
    {"label_smoothing", "dense classes", {7}, 4, 4, Exactness::direct, 0.2F},
    {"summed_loss", "dense classes", {7}, 4, 4, Exactness::direct, 0.1F, true},
    {"weights_and_unlabelled", "dense 3 relu; dense classes", {7}, 7, 7, Exactness::direct, 0.1F, false, false, true},
    {"summed_weighted_loss", "dense 3 relu; dense classes", {7}, 7, 9, Exactness::direct, 0, true, false, true},
    {"mse", "dense classes", {7}, 4, 4, Exactness::direct, 0, false, false, false, true},
    {"mse_weighted", "dense 3 relu; dense classes", {7}, 7, 9, Exactness::direct, 0.1F, false, false, true, true},
    {"mse_summed", "conv 3 3x3 relu; dense classes", {4, 5, 3}, 7, 7, Exactness::direct, 0, true, false, true, true},
    {"augmented", "conv 5 3x3; dense classes", {7, 6, 3}, 8, 8, Exactness::direct, 0, false, true},
    {"augmented_gray", "conv 3 2x2; dense classes", {5, 9, 1}, 8, 8, Exactness::direct, 0, false, true},
    {"augmented_one_row", "dense classes", {1, 8, 5}, 8, 8, Exactness::direct, 0, false, true},
    {"augmented_frames", "conv 5 3; dense classes", {9, 6}, 8, 9, Exactness::direct, 0, false, true},
    {"augmented_frames_as_a_map", "conv 5 3x3; dense classes", {9, 5}, 8, 8, Exactness::direct, 0, false, true},
    {"augmented_row", "dense 5 relu; dense classes", {18}, 8, 8, Exactness::direct, 0, false, true},
    // Convolutions. The input's 1 or 3 channels are read plain, other counts in blocks.
    {"conv_gray", "conv 3 3x3; globalpool avg; dense classes", {7, 9, 1}},
    {"conv_rgb", "conv 5 3x3; globalpool avg; dense classes", {7, 9, 3}},
    {"conv_5_channels", "conv 16 3x3; globalpool avg; dense classes", {5, 6, 5}},
    {"conv_1x1", "conv 24 1x1; conv 5 1x1; dense classes", {3, 4, 3}},
    {"conv_one_pixel", "conv 5 1x1; dense classes", {1, 1, 3}},
    {"conv_5x5", "conv 5 5x5; conv 3 5x5; dense classes", {7, 6, 3}},
    {"conv_flat_windows", "conv 5 1x3; conv 16 5x1; conv 3 2x3; dense classes", {6, 7, 3}},
    {"conv_even_window", "conv 5 2x2; conv 3 4x4; dense classes", {6, 7, 1}},
    {"conv_valid", "conv 5 3x3 valid; conv 3 2x3 valid; dense classes", {7, 8, 3}},
    {"conv_stride", "conv 5 3x3 stride=2; conv 16 3x3 stride=2x1; conv 3 1x1 stride=2; dense classes", {9, 8, 3}},
    {"conv_stride_valid", "conv 5 3x3 stride=3 valid; conv 3 2x2 stride=2 valid; dense classes", {14, 11, 3}},
    {"conv_pad", "conv 5 3x3 pad=2; conv 3 5x3 pad=3x1; dense classes", {5, 6, 3}},
    {"conv_dilation", "conv 5 3x3 dilation=2; conv 3 2x2 dilation=3 valid; dense classes", {8, 9, 3}},
    {"conv_without_bias", "conv 5 3x3 nobias; dense classes", {5, 6, 3}},
    {"conv_frozen_between", "conv 5 3x3; relu; conv 3 3x3 freeze; relu; conv 5 3x3; dense classes", {5, 6, 3}},
    {"conv_16_to_24", "conv 16 3x3; conv 24 3x3; dense classes", {7, 9, 3}, 3, 3, Exactness::winograd},
    {"conv_24_to_16_odd",
     "conv 24 3x3; conv 16 3x3; conv 16 3x3 pad=0; dense classes",
     {5, 3, 3},
     3,
     5,
     Exactness::winograd},
    {"conv_16_to_33",
     "conv 16 3x3 relu; conv 33 3x3 relu; maxpool 2; dense classes",
     {8, 8, 3},
     3,
     3,
     Exactness::winograd},
    {"dwconv", "conv 16 1x1; dwconv 3x3; globalpool avg; dense classes", {7, 9, 3}},
    {"dwconv_broken_block", "conv 21 1x1; dwconv 3x3 bn relu; conv 5 1x1; dwconv 2x3 relu; dense classes", {7, 6, 3}},
    {"dwconv_of_input", "dwconv 3x3 relu; dense classes", {5, 6, 3}},
    {"dwconv_gray", "dwconv 5x5 bias bn; maxpool 2; dense classes", {6, 7, 1}},
    {"dwconv_stride",
     "conv 16 1x1 gelu; dwconv 3x3 stride=2 nobias silu; dwconv 3x3 stride=1x2 valid; dense classes",
     {11, 9, 3}},
    {"dwconv_dilation", "conv 8 1x1; dwconv 3x3 dilation=2 gelu; dwconv 4x2 pad=2x1; dense classes", {9, 8, 3}},
    {"dwconv_frozen", "conv 5 1x1; dwconv 3x3 freeze; relu; dense classes", {5, 6, 3}},
    {"dwconv_of_frames", "dwconv 5 relu; conv 8 1; dwconv 3 stride=2 bn; globalpool max; dense classes", {13, 20}},
    {"whiten", "whiten 2x2 gelu; conv 5 3x3; dense classes", {6, 7, 3}},
    {"whiten_without_bias", "whiten 3x2 nobias; dense classes", {5, 5, 1}},
    // Frames [T,F] read as a sequence, or as a map of one channel.
    {"conv1d", "conv 5 3; conv 16 2; dense classes", {9, 4}},
    {"conv1d_stride", "conv 5 3 stride=2; conv 16 4 stride=3 valid; dense classes", {23, 3}},
    {"conv1d_pad_dilation", "conv 16 3 pad=2 dilation=2; conv 5 2 dilation=3 valid bn relu; dense classes", {12, 17}},
    {"conv1d_of_one_position", "conv 5 3 relu; dense classes", {1, 6}},
    {"conv1d_of_a_wave", "conv 16 9 stride=4 relu; conv 5 3; globalpool avg; dense classes", {40, 1}},
    {"conv1d_pools", "conv 24 3; maxpool 2; relu; avgpool 3 stride=2; globalpool max; dense classes", {15, 5}},
    {"conv1d_residual",
     "residual project {; conv 16 3 stride=2 bn relu; conv 16 3 bn; } relu; globalpool avg; dense classes",
     {11, 5}},
    {"frames_as_a_map", "conv 5 3x3 bn relu; maxpool 2; conv 3 3x2; dense classes", {8, 7}},
    {"frames_dense", "dense 6 relu; dense classes", {4, 5}},
    {"frames_pool_first", "avgpool 2; conv 5 1; dense classes", {8, 3}},
    {"frames_as_a_map_pool_first", "maxpool 2x3; dense classes", {6, 9}},
    // Pools.
    {"maxpool", "conv 5 1x1; maxpool 2; dense classes", {6, 8, 3}},
    {"maxpool_leaves_out", "conv 16 1x1; maxpool 2; conv 3 1x1; maxpool 3x2; dense classes", {15, 9, 3}},
    {"maxpool_overlapping", "conv 5 1x1; maxpool 3 stride=2; dense classes", {7, 8, 3}},
    {"maxpool_gaps", "conv 24 1x1; maxpool 2 stride=3x1; dense classes", {8, 5, 3}},
    {"maxpool_of_input", "maxpool 2; dense classes", {6, 5, 1}},
    {"maxpool_after_relu", "conv 5 3x3 relu; maxpool 2; conv 5 3x3 relu; maxpool 2; dense classes", {8, 9, 3}},
    {"avgpool", "conv 5 1x1; avgpool 2; dense classes", {6, 8, 3}},
    {"avgpool_leaves_out", "conv 16 1x1; avgpool 2; conv 3 1x1; avgpool 3x2; dense classes", {15, 9, 3}},
    {"avgpool_overlapping", "conv 24 1x1; avgpool 3 stride=2x1; dense classes", {7, 8, 3}},
    {"globalmax", "conv 24 1x1; globalpool max; dense classes", {5, 7, 3}},
    {"globalavg", "conv 24 1x1; globalpool avg; dense classes", {5, 7, 3}},
    {"globalmax_of_a_pixel", "conv 3 1x1; globalpool max; dense classes", {1, 1, 3}},
    // Batch-norm: alone, behind convolution, pool and dense layer, before each activation.
    {"batchnorm_of_input", "bn; dense classes", {5, 6, 3}},
    {"batchnorm_of_rows", "bn; dense 16 bn; dense classes", {7}, 6, 6},
    {"batchnorm_relu", "conv 5 3x3 bn relu; conv 16 1x1 bn relu; dense classes", {5, 6, 3}},
    {"batchnorm_gelu", "conv 5 3x3 bn gelu; dense classes", {5, 6, 3}},
    {"batchnorm_silu", "conv 5 3x3 bn silu; dense classes", {5, 6, 3}},
    {"batchnorm_behind_bias", "conv 5 3x3 bias bn; dense classes", {5, 6, 3}},
    {"batchnorm_behind_pool", "conv 16 3x3; maxpool 2; bn gelu; dense classes", {6, 7, 3}},
    {"batchnorm_attributes", "conv 5 3x3 bn eps=0.01 keep=0.6; conv 3 1x1 bn keep=0; dense classes", {5, 6, 3}},
    {"batchnorm_tiny_epsilon", "conv 5 3x3 bn scale=fixed eps=1e-12 gelu; dense classes", {5, 6, 3}},
    {"batchnorm_frozen", "conv 5 3x3; bn freeze; relu; dense classes", {5, 6, 3}},
    {"batchnorm_short_batch", "conv 16 3x3 bn relu; conv 5 1x1 bn; dense classes", {5, 6, 3}, 3, 8},
    {"batchnorm_winograd",
     "conv 16 3x3 bn relu; conv 24 3x3 bn relu; dense classes",
     {7, 6, 3},
     4,
     4,
     Exactness::winograd},
    // Activations on their own, several readers of one value, and what stands where.
    {"relu", "conv 5 1x1; relu; avgpool 2; relu; dense 16 relu; dense classes", {6, 6, 3}},
    {"gelu", "conv 5 1x1; gelu; avgpool 2; gelu; dense 16 gelu; dense classes", {6, 6, 3}},
    {"silu", "conv 5 1x1; silu; avgpool 2; silu; dense 16 silu; dense classes", {6, 6, 3}},
    {"activation_of_input", "relu; gelu; silu; dense classes", {9}},
    {"dropout", "conv 5 3x3 relu; dropout 0.4; dense 16; dropout 0.25; dense classes", {5, 6, 3}},
    {"dropout_of_input", "dropout 0.5; dense classes", {3, 5, 3}},
    {"dropout_none", "dense 5; dropout 0; dense classes", {9}},
    {"flatten", "conv 5 3x3; flatten; relu; dense classes", {4, 5, 3}},
    {"flatten_twice", "flatten; flatten; dense 3; flatten; dense classes", {4, 3, 3}},
    {"flatten_before_norm", "conv 3 3x3; flatten; bn; dense classes", {3, 4, 3}},
    {"scale", "dense 5; scale 1/4; relu; dense classes; scale -3", {9}},
    {"scale_of_a_map", "scale 0.5; conv 5 3x3; scale 2; dense classes", {5, 4, 3}},
    {"add", "conv 5 3x3; residual {; conv 5 3x3 relu; }; dense classes", {5, 6, 3}},
    {"add_to_input", "residual {; conv 3 3x3 bn relu; conv 3 3x3 bn; }; relu; dense classes", {5, 6, 3}},
    {"add_of_norm",
     "conv 16 1x1 bn relu; residual {; conv 16 1x1 bn relu; conv 16 1x1 bn gelu; }; dense classes",
     {5, 6, 3}},
    {"add_of_itself", "conv 5 1x1; residual {; relu; }; residual {; scale 0.5; }; dense classes", {4, 4, 3}},
    {"add_of_rows", "dense 16 relu; residual {; dense 16 bn silu; dropout 0.2; dense 16; }; dense classes", {9}},
    {"add_project",
     "conv 5 3x3 bn relu; residual project {; conv 16 3x3 stride=2 bn relu; conv 16 1x1 bn; } relu; dense classes",
     {7, 8, 3}},
    {"add_nested",
     "conv 5 3x3; residual {; conv 5 3x3 relu; residual {; conv 5 1x1 bn; maxpool 1; }; relu; }; globalpool max; "
     "dense classes",
     {6, 5, 3}},
    // Branches: parts of whole and of broken blocks of channels, rows, one value read twice, branches in branches.
    {"parallel",
     "conv 16 3x3; parallel {; conv 16 1x1; |; conv 32 3x3 relu; }; dense classes",
     {5, 6, 3},
     4,
     4,
     Exactness::winograd},
    {"parallel_broken_blocks",
     "parallel {; conv 5 1x1; |; conv 17 3x3 bn relu; |; relu; }; conv 3 1x1; dense classes",
     {4, 5, 3}},
    {"parallel_widths",
     "parallel {; conv 20 2 valid relu; globalpool max; |; conv 20 3 relu; globalpool max; |; conv 5 4; globalpool "
     "avg; "
     "}; dropout 0.5; dense classes",
     {9, 6}},
    {"parallel_rows", "parallel {; dense 16 relu; |; dense 3; |; dropout 0.3; }; bn; dense classes", {7}},
    {"parallel_twice_the_same", "conv 5 1x1; parallel {; flatten; |; flatten; }; dense classes", {3, 4, 3}},
    {"parallel_nested",
     "parallel {; conv 3 1x1; residual {; parallel {; conv 2 1x1; |; conv 1 3x3; }; }; |; conv 16 3x3 bn; }; relu; "
     "maxpool 2; dense classes",
     {6, 5, 3}},
    // Texts: rows of a table, and padding that counts nowhere.
    text_case("embed", "embed 5; dense classes", 4),
    text_case("embed_frozen", "embed 5 freeze; relu; dense 3; dense classes", 4),
    text_case("embed_mean", "embed 16; globalpool avg; dense classes", 9),
    text_case("embed_max", "embed 20; globalpool max; dense classes", 9, 5, 8),
    text_case(
        "embed_widths",
        "embed 12; parallel {; conv 10 3 relu; globalpool max; |; conv 7 4 relu; globalpool max; |; conv 16 2 valid; "
        "globalpool avg; }; dropout 0.3; dense classes",
        8),
    text_case("embed_deep",
              "embed 16; conv 16 3 stride=2 bn relu; residual {; conv 16 3 bn relu; conv 16 3 bn; } relu; maxpool 2; "
              "conv 8 3; globalpool avg; dense classes",
              23, 6, 7),
    text_case("embed_batchnorm", "embed 5; bn silu; conv 24 1 bn gelu; bn; globalpool max; dense classes", 7, 6, 8),
    text_case("embed_mask", "embed 5; conv 6 3; conv 17 1 bn; conv 3 2; globalpool max; dense classes", 7),
    text_case("embed_mask_flatten", "embed 5; conv 6 3; gelu; dense 7 relu; dense classes", 5),
    text_case(
        "embed_mask_of_branches",
        "embed 5; conv 4 3; parallel {; relu; |; maxpool 1; }; residual {; conv 8 3; }; avgpool 3 stride=2; conv 3 2 "
        "dilation=2; globalpool avg; dense classes",
        10),
    text_case("embed_valid_and_padded",
              "embed 5; conv 6 3 valid; conv 6 3 pad=2 relu; maxpool 3; globalpool max; dense "
              "classes",
              9),
    text_case("embed_dwconv",
              "embed 12; conv 9 3; dwconv 3 bn relu; conv 20 1 bias; dwconv 2 stride=2; globalpool avg; "
              "dense classes",
              9),
    {"add_winograd",
     "conv 16 3x3 bn relu; residual {; conv 16 3x3 bn relu; conv 16 3x3 bn relu; }; globalpool max; dense classes",
     {6, 8, 3},
     4,
     4,
     Exactness::winograd},
};

// Whether rounding may decide where a gradient goes: relu, and largest values.
inline bool makes_choices(const LayerCase& row) {
  const std::string_view net = row.net;
  return net.find("relu") != net.npos || net.find("max") != net.npos;
}

}  // namespace lepton
