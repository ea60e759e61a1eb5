// Any text either builds a network within the stated limits or is refused as a usage error.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "net/graph.h"
#include "net/summary.h"

namespace {

// Bytes as words of the language, so that mutations reach past the parser.
std::string words_of(const uint8_t* data, size_t size) {
  static const char* const kWords[] = {"conv",
                                       "dense",
                                       "whiten",
                                       "maxpool",
                                       "avgpool",
                                       "globalpool",
                                       "bn",
                                       "relu",
                                       "gelu",
                                       "silu",
                                       "dropout",
                                       "flatten",
                                       "scale",
                                       "residual",
                                       "project",
                                       "{",
                                       "}",
                                       ";",
                                       "\n",
                                       "classes",
                                       "1",
                                       "2",
                                       "3x3",
                                       "2x2",
                                       "64",
                                       "1048576",
                                       "1x3",
                                       "max",
                                       "avg",
                                       "stride=2",
                                       "stride=1x2",
                                       "pad=1",
                                       "pad=0x2",
                                       "valid",
                                       "same",
                                       "bias",
                                       "nobias",
                                       "dilation=2",
                                       "dilation=999",
                                       "freeze",
                                       "lr=0.5",
                                       "init=unit",
                                       "eps=1e-9",
                                       "keep=.5",
                                       "1/256",
                                       "0.5",
                                       "scale=fixed",
                                       "bias-epochs=3",
                                       "init=dirac",
                                       "#",
                                       "-1",
                                       "99999999999999999999",
                                       "embed",
                                       "init=normal",
                                       "dwconv",
                                       "parallel",
                                       "|",
                                       "3",
                                       "5"};
  constexpr size_t kCount = sizeof(kWords) / sizeof(kWords[0]);
  std::string text;
  for (size_t i = 0; i < size; ++i) text += std::string(kWords[data[i] % kCount]) + " ";
  return text + "\ndense classes";
}

struct Input {
  lepton::Shape shape;
  int64_t tokens = 0;
};

void build(const std::string& text) {
  const Input inputs[] = {{{32, 32, 3}}, {{1, 1, 1}}, {{30}}, {{4096, 4096, 3}}, {{98, 40}}, {{50}, 131072}};
  for (const Input& input : inputs) {
    const std::string net = input.tokens > 0 ? "embed 8\n" + text : text;
    try {
      const lepton::Graph graph = lepton::build_graph(net, input.shape, 10, input.tokens);
      if (graph.nodes.back().shape != lepton::Shape{10}) std::abort();
      for (size_t id = 0; id < graph.nodes.size(); ++id) {
        if (graph.nodes[id].token_stride < 0) std::abort();
        for (const lepton::NodeId from : graph.nodes[id].inputs) {
          if (from < 0 || static_cast<size_t>(from) >= id) std::abort();
        }
      }
      if (graph.forward_flops() < 0 || lepton::summarize(graph, 128).activation_bytes < 0) std::abort();
      if (lepton::graph_json(graph).empty()) std::abort();
    } catch (const lepton::Error& error) {
      if (error.status() != lepton::Exit::usage) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  build({reinterpret_cast<const char*>(data), size});
  build(words_of(data, size));
  return 0;
}
