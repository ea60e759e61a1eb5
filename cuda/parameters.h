#pragma once
// Parameters and their gradients as flat device buffers in plain layouts. Trained parameters stand first, so that
// gradients cover just a prefix; behind them stands a table, trained row by row; then what is frozen. Optimiser state
// covers what is trained and the table, if that is.
#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "cuda/element.h"
#include "cuda/memory.h"
#include "cuda/table.h"
#include "net/graph.h"

namespace lepton::cuda {

struct Slot {
  ParameterRef ref;
  Parameter parameter;
  int64_t offset = 0;  // into each flat buffer
  int64_t size() const { return parameter.shape.elements(); }
  bool table() const { return parameter.role == Role::table; }  // a first layer's: there is at most one
};

template <class T>
struct Convert {
  const float* from;
  T* to;
  LEPTON_HD void operator()(int64_t i) const { to[i] = T(from[i]); }
};

template <class P>
class Parameters {
 public:
  // Where a parameter is; nullptr for what there is not: the parameter, or the gradient of a frozen one.
  struct Place {
    float* value = nullptr;
    float* gradient = nullptr;
  };

  // batch: most samples in a batch.
  Parameters(P& policy, const Graph& graph, int64_t batch, bool training) : policy_(policy) {
    for (ParameterRef& ref : parameters_of(graph)) {
      const Node& node = graph.nodes[static_cast<size_t>(ref.node)];
      const Parameter& parameter = node.parameters[static_cast<size_t>(ref.index)];
      slots.push_back({std::move(ref), parameter, 0});
    }
    const auto is_trained = [](const Slot& slot) { return slot.parameter.trainable && !slot.table(); };
    trained = place_slots(0, is_trained);
    stateful = tables_end = place_slots(trained, [](const Slot& slot) { return slot.table(); });
    total = place_slots(tables_end, [&](const Slot& slot) { return !is_trained(slot) && !slot.table(); });
    for (const Slot& slot : slots) {
      if (!slot.table()) continue;
      if (!slot.parameter.trainable) stateful = trained;
      if (!slot.parameter.trainable || !training) continue;
      table = std::make_unique<TableGradient<P>>(policy, slot.parameter.shape, batch * graph.input.elements());
    }
    values = memory_of<float>(policy, total);
    if (training) gradients = memory_of<float>(policy, trained);
  }

  Place find(NodeId node, Role role) const {
    for (const Slot& slot : slots) {
      if (slot.ref.node != node || slot.parameter.role != role) continue;
      const bool has_gradient = slot.parameter.trainable && !slot.table() && gradients.bytes() > 0;
      return {value(slot), has_gradient ? gradient(slot) : nullptr};
    }
    return {};
  }
  float* value(const Slot& slot) const { return values.template as<float>() + slot.offset; }
  float* gradient(const Slot& slot) const { return gradients.template as<float>() + slot.offset; }

  // A flat buffer on the host, and back.
  std::vector<float> fetched(const Memory<P>& flat) const {
    std::vector<float> host(static_cast<size_t>(flat.bytes()) / sizeof(float));
    if (!host.empty()) policy_.download(host.data(), flat.template as<void>(), flat.bytes());
    return host;
  }
  void put(const Memory<P>& flat, const std::vector<float>& host) const {
    if (!host.empty()) policy_.upload(flat.template as<void>(), host.data(), flat.bytes());
  }

  std::vector<Slot> slots;  // in the order of parameters_of(graph)
  Memory<P> values, gradients;
  std::unique_ptr<TableGradient<P>> table;  // nullptr where none is trained
  // Floats: what has a gradient here; that and the table; what has optimiser state; all.
  int64_t trained = 0, tables_end = 0, stateful = 0, total = 0;

 private:
  template <class Which>
  int64_t place_slots(int64_t offset, Which which) {
    for (Slot& slot : slots) {
      if (!which(slot)) continue;
      slot.offset = offset;
      offset += (slot.size() + 63) / 64 * 64;  // 256 bytes; what lies between stays 0
    }
    return offset;
  }

  P& policy_;
};

// All parameters but a table as values are stored, for matrix products; with float they are the parameters themselves.
template <class P, class T>
class Stored {
 public:
  Stored(P& policy, const Parameters<P>& parameters)
      : policy_(policy),
        parameters_(parameters),
        copy_(memory_of<T>(policy, kCopies ? parameters.total - table_size() : 0)) {}
  const T* of(const float* value) const {
    if constexpr (kCopies) {
      return place(value - parameters_.values.template as<float>());
    } else {
      return value;
    }
  }
  // After every change of the parameters.
  void refresh() {
    if constexpr (kCopies) {
      refresh(0, parameters_.trained);
      refresh(parameters_.tables_end, parameters_.total);
    }
  }

 private:
  static constexpr bool kCopies = !std::is_same_v<T, float>;

  int64_t table_size() const { return parameters_.tables_end - parameters_.trained; }
  T* place(int64_t offset) const {
    return copy_.template as<T>() + (offset < parameters_.tables_end ? offset : offset - table_size());
  }
  void refresh(int64_t begin, int64_t end) {
    const auto* values = parameters_.values.template as<float>();
    if (begin < end) policy_.launch(end - begin, Convert<T>{values + begin, place(begin)});
  }

  P& policy_;
  const Parameters<P>& parameters_;
  Memory<P> copy_;
};

// One tensor out of a flat buffer on the host.
inline NamedTensor plain(const Slot& slot, const std::vector<float>& flat, const std::string& suffix) {
  const auto begin = flat.begin() + slot.offset;
  return {slot.ref.name + suffix, slot.parameter.shape, {begin, begin + slot.size()}};
}

inline void set_plain(const Slot& slot, std::vector<float>& flat, const NamedTensor& tensor) {
  if (!(tensor.shape == slot.parameter.shape) || static_cast<int64_t>(tensor.values.size()) != slot.size()) {
    fail(Exit::mismatch, "cuda: {} has shape {}, the network wants {}", tensor.name, tensor.shape.to_string(),
         slot.parameter.shape.to_string());
  }
  std::copy(tensor.values.begin(), tensor.values.end(), flat.begin() + slot.offset);
}

}  // namespace lepton::cuda
