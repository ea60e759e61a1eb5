#pragma once
// Parameters, gradients and optimiser state as flat buffers, in the layouts the passes read.
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "engine/cpu/arena.h"
#include "engine/cpu/layout.h"
#include "net/graph.h"

namespace lepton::cpu {

const dnnl::engine& dnnl_engine();
dnnl::stream& dnnl_stream();

// Between the plain form of a tensor and the padded form inside. Padding is zero and stays zero: its gradients are.
struct Packing {
  int64_t size = 0;                        // floats of the inner form, a multiple of 16
  std::optional<dnnl::memory::desc> conv;  // kernels of convolutions
  Map input = {};                          // dense: rows follow this map's blocked order
  bool depthwise = false;                  // kernels [kh,kw,1,C] in blocks of channels, each [kh,kw,lanes]
};
// HWIO of a kernel whose inner form this is.
dnnl::memory::desc plain_conv(const dnnl::memory::desc& inner);
Packing pack_vector(int64_t channels);
Packing pack_conv(const dnnl::memory::desc& inner);
Packing pack_depthwise(const Shape& kernel);
Packing pack_dense(const Map& input, int64_t outputs);
Packing pack_table(const Shape& table);

void pack(const Packing& packing, const Shape& shape, const float* plain, float* inner);
void unpack(const Packing& packing, const Shape& shape, const float* inner, float* plain);

// One slot a parameter, in the order of parameters_of(graph).
struct Slot {
  ParameterRef ref;
  Parameter parameter;
  Packing packing;
  int64_t offset = 0;  // into each flat buffer
};

// The gradient of a table: of the rows that occur in the batch, and of no other.
struct TableGradient {
  std::vector<int32_t> tokens;  // distinct, in order of their first place in the batch
  int64_t width = 0;            // floats of a row, padding included
  AlignedFloats rows;           // [as many as can occur, width]
};

class Parameters {
 public:
  explicit Parameters(const Graph& graph);

  // Packing of one parameter; every parameter needs one before allocate().
  void set_packing(NodeId node, Role role, const Packing& packing);
  void allocate();
  const Slot* find(NodeId node, Role role) const;  // nullptr if the node has none
  float* value(const Slot& slot) const { return values.data() + slot.offset; }
  float* gradient(const Slot& slot) const { return gradients.data() + slot.offset; }
  NamedTensor plain(const Slot& slot, const AlignedFloats& flat, const std::string& suffix) const;
  void set_plain(const Slot& slot, const AlignedFloats& flat, const NamedTensor& tensor) const;

  // Tables are a first layer's, so that there is at most one.
  static bool is_table(const Slot& slot) { return slot.parameter.role == Role::table; }

  std::vector<Slot> slots;
  AlignedFloats values, gradients;  // values: tables stand behind `total`, and have no place among the gradients
  TableGradient table;
  int64_t total = 0;  // floats of what is updated as a whole, in each flat buffer
  int64_t whole = 0;  // the same with tables
};

}  // namespace lepton::cpu
