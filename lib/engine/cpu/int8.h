#pragma once
// Values as bytes, for inference in int8: value = scale * byte, the byte signed where values may be negative. Layout
// [n][h][w][channels], channels padded to 16; what stands in padding means nothing, kernels have zeros for it.
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "engine/cpu/arena.h"
#include "engine/cpu/conv.h"
#include "engine/cpu/simd.h"

namespace lepton::cpu {

// The loops on bytes, compiled once for each instruction set. Float rows are of one channel block, as in simd.h; `x`
// and `y` of bytes begin at that block's first channel, pixels standing `stride` bytes apart. Bytes are unsigned unless
// is_signed.
struct Int8Loops {
  // y = x * inverse, rounded to nearest, ties to even, within [low, high].
  void (*quantise)(const float* x, int64_t pixels, float inverse, float low, float high, uint8_t* y, int64_t stride);
  // y = x * scale.
  void (*dequantise)(const uint8_t* x, bool is_signed, int64_t pixels, int64_t stride, float scale, float* y);
  // All channels of one sample, [h][w][channels] to [out_h][out_w][channels].
  void (*maxpool)(const uint8_t* x, bool is_signed, int64_t channels, const PoolShape& shape, uint8_t* y);
  // Mean of each window times scale, of one channel block, to floats.
  void (*avgpool)(const uint8_t* x, bool is_signed, int64_t stride, const PoolShape& shape, float scale, float* y);
  // y = a * factor_a + b * factor_b, as quantise(); count a multiple of 16.
  void (*add)(const uint8_t* a, bool signed_a, float factor_a, const uint8_t* b, bool signed_b, float factor_b,
              int64_t count, float low, float high, uint8_t* y);
};
extern const Int8Loops kInt8Avx512, kInt8Avx2, kInt8Sse;
const Int8Loops& int8_loops();  // those that fit simd()

// Whether this processor multiplies bytes exactly (VNNI). Without, sums of two products saturate in 16 bits, and
// unsigned bytes are kept below 128, so that they cannot.
bool exact_bytes();

struct ByteFormat {
  float scale = 1;
  bool is_signed = false;

  // Of values up to `range` in magnitude.
  static ByteFormat of_range(float range, bool is_signed);
  float high() const { return is_signed || !exact_bytes() ? 127.0F : 255.0F; }
  float low() const { return is_signed ? -127.0F : 0.0F; }
};

// A value of a plan as bytes.
struct ByteValue {
  Map map;
  ByteFormat format;
  int buffer = -1;

  int64_t channels() const { return (map.c + 15) / 16 * 16; }
  int64_t sample() const { return map.pixels() * channels(); }  // bytes
};

// Signed bytes of a kernel, symmetric, one scale an output channel: weight = scale * byte.
struct Int8Kernel {
  std::vector<int8_t> bytes;  // [outputs][inputs][kh][kw], both padded to 16 channels
  std::vector<float> scales;  // [padded outputs], 1 in padding and where all weights are 0
};
Int8Kernel quantise_kernel(std::span<const float> hwio, const Shape& shape);

// Kernels as oneDNN reads them, shared by the plans of several threads.
using Int8Weights = std::map<NodeId, std::shared_ptr<const AlignedFloats>>;

// oneDNN's description of a convolution on bytes; nullptr where it has none that is fast. in and out as in the plan.
struct Int8ConvPlan;
std::shared_ptr<const Int8ConvPlan> plan_int8_conv(const ConvSpec& spec, const ByteValue& in, const ByteValue& out,
                                                   const FoldedConv& folded, const Shape& kernel);
std::unique_ptr<Op> make_int8_conv(std::shared_ptr<const Int8ConvPlan> plan, const Step& step, const ByteValue& in,
                                   const ByteValue& out, Arena& arena, Int8Weights& weights);

// The network's first convolution, in floats, its output as bytes.
std::unique_ptr<Op> make_first_conv_to_bytes(const ConvSpec& spec, const FoldedConv& folded, const Step& step,
                                             const Value& in, const ByteValue& out, Arena& arena);

std::unique_ptr<Op> make_quantise(NodeId node, int64_t batch, const Value& in, const ByteValue& out);
std::unique_ptr<Op> make_dequantise(NodeId node, int64_t batch, const ByteValue& in, const Value& out);
std::unique_ptr<Op> make_int8_maxpool(NodeId node, int64_t batch, const PoolShape& shape, const ByteValue& in,
                                      const ByteValue& out);
std::unique_ptr<Op> make_int8_avgpool(NodeId node, int64_t batch, const PoolShape& shape, const ByteValue& in,
                                      const Value& out);
std::unique_ptr<Op> make_int8_add(NodeId node, int64_t batch, const ByteValue& a, const ByteValue& b,
                                  const ByteValue& out);

}  // namespace lepton::cpu
