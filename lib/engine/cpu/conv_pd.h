#pragma once
// oneDNN's descriptors of one convolution: Winograd where the rule says so and oneDNN can, else direct.
#include <oneapi/dnnl/dnnl.hpp>

#include "engine/cpu/conv.h"

namespace lepton::cpu {

struct ForwardPd {
  dnnl::convolution_forward::primitive_desc pd;
  bool winograd = false;
};
struct DataPd {
  dnnl::convolution_backward_data::primitive_desc pd;
  bool winograd = false;
};
struct WeightsPd {
  dnnl::convolution_backward_weights::primitive_desc pd;
  bool winograd = false;
};

ForwardPd make_forward(const ConvSpec& spec, bool training);
// `kernel`: the layout that the kernel (its gradient) has already, taken where it costs nothing; zero: none.
DataPd make_backward_data(const ConvSpec& spec, const ForwardPd& forward, const dnnl::memory::desc& kernel);
WeightsPd make_backward_weights(const ConvSpec& spec, const ForwardPd& forward, const dnnl::memory::desc& kernel);

template <class Pd>
int64_t scratch_floats(const Pd& pd) {
  return (static_cast<int64_t>(pd.scratchpad_desc().get_size()) + 3) / 4 + 16;
}

}  // namespace lepton::cpu
