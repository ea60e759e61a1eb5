#include "engine/cpu/parameters.h"

#include <algorithm>

#include "base/error.h"

namespace lepton::cpu {
namespace {

int64_t rounded(int64_t count) { return (count + 15) / 16 * 16; }

void reorder(const dnnl::memory::desc& from_desc, const float* from, const dnnl::memory::desc& to_desc, float* to) {
  dnnl::memory source(from_desc, dnnl_engine(), const_cast<float*>(from));  // oneDNN's handles know no const
  dnnl::memory target(to_desc, dnnl_engine(), to);
  dnnl::reorder(source, target).execute(dnnl_stream(), source, target);
  dnnl_stream().wait();
}

int64_t dense_row(const Map& map, int64_t row) { return map.place(row / map.c, row % map.c); }

}  // namespace

dnnl::memory::desc plain_conv(const dnnl::memory::desc& inner) {
  return {inner.dims(), dnnl::memory::data_type::f32, dnnl::memory::format_tag::hwio};
}

const dnnl::engine& dnnl_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& dnnl_stream() {
  static dnnl::stream stream(dnnl_engine());
  return stream;
}

Packing pack_vector(int64_t channels) { return {rounded(padded_channels(channels)), std::nullopt, {}}; }

Packing pack_conv(const dnnl::memory::desc& inner) {
  return {rounded(static_cast<int64_t>(inner.get_size()) / 4), inner, {}};
}

Packing pack_depthwise(const Shape& kernel) {
  return {rounded(kernel[0] * kernel[1] * padded_channels(kernel[3])), std::nullopt, {}, true};
}

Packing pack_dense(const Map& input, int64_t outputs) {
  return {rounded(input.sample() * padded_channels(outputs)), std::nullopt, input};
}

Packing pack_table(const Shape& table) { return pack_dense({1, 1, table[0]}, table[1]); }

namespace {

// As a map: the window's places are its pixels.
Map kernel_map(const Shape& kernel) { return {kernel[0], kernel[1], kernel[3]}; }

}  // namespace

void pack(const Packing& packing, const Shape& shape, const float* plain, float* inner) {
  std::fill_n(inner, packing.size, 0.0F);
  if (packing.conv) return reorder(plain_conv(*packing.conv), plain, *packing.conv, inner);
  if (packing.depthwise) return block(kernel_map(shape), plain, inner);
  if (shape.rank() == 1) return static_cast<void>(std::copy_n(plain, shape[0], inner));
  const int64_t stride = padded_channels(shape[1]);
  for (int64_t row = 0; row < shape[0]; ++row) {
    std::copy_n(plain + row * shape[1], shape[1], inner + dense_row(packing.input, row) * stride);
  }
}

void unpack(const Packing& packing, const Shape& shape, const float* inner, float* plain) {
  if (packing.conv) return reorder(*packing.conv, inner, plain_conv(*packing.conv), plain);
  if (packing.depthwise) return unblock(kernel_map(shape), inner, plain);
  if (shape.rank() == 1) return static_cast<void>(std::copy_n(inner, shape[0], plain));
  const int64_t stride = padded_channels(shape[1]);
  for (int64_t row = 0; row < shape[0]; ++row) {
    std::copy_n(inner + dense_row(packing.input, row) * stride, shape[1], plain + row * shape[1]);
  }
}

Parameters::Parameters(const Graph& graph) {
  for (ParameterRef& ref : parameters_of(graph)) {
    Slot slot;
    slot.parameter = graph.nodes[static_cast<size_t>(ref.node)].parameters[static_cast<size_t>(ref.index)];
    slot.ref = std::move(ref);
    slots.push_back(std::move(slot));
  }
}

void Parameters::set_packing(NodeId node, Role role, const Packing& packing) {
  for (Slot& slot : slots) {
    if (slot.ref.node == node && slot.parameter.role == role) slot.packing = packing;
  }
}

void Parameters::allocate() {
  total = 0;
  for (Slot& slot : slots) {
    if (slot.packing.size == 0) fail(Exit::bug, "cpu: {} has no layout", slot.ref.name);
    if (is_table(slot)) continue;
    slot.offset = total;
    total += slot.packing.size;
  }
  whole = total;
  for (Slot& slot : slots) {
    if (!is_table(slot)) continue;
    slot.offset = whole;
    whole += slot.packing.size;
  }
  values = AlignedFloats(whole);
  gradients = AlignedFloats(total);
}

const Slot* Parameters::find(NodeId node, Role role) const {
  const auto found = std::find_if(slots.begin(), slots.end(), [&](const Slot& slot) {
    return slot.ref.node == node && slot.parameter.role == role;
  });
  return found == slots.end() ? nullptr : &*found;
}

NamedTensor Parameters::plain(const Slot& slot, const AlignedFloats& flat, const std::string& suffix) const {
  NamedTensor tensor{slot.ref.name + suffix, slot.parameter.shape, {}};
  tensor.values.resize(static_cast<size_t>(slot.parameter.shape.elements()));
  unpack(slot.packing, slot.parameter.shape, flat.data() + slot.offset, tensor.values.data());
  return tensor;
}

void Parameters::set_plain(const Slot& slot, const AlignedFloats& flat, const NamedTensor& tensor) const {
  if (!(tensor.shape == slot.parameter.shape) ||
      static_cast<int64_t>(tensor.values.size()) != tensor.shape.elements()) {
    fail(Exit::mismatch, "cpu: {} has shape {}, the network wants {}", tensor.name, tensor.shape.to_string(),
         slot.parameter.shape.to_string());
  }
  pack(slot.packing, slot.parameter.shape, tensor.values.data(), flat.data() + slot.offset);
}

}  // namespace lepton::cpu
