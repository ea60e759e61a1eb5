// What is decided before the first step: samples held out, class weights, rates of parameters.
#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "net/parameters.h"
#include "train/trainer.h"

namespace lepton {

HeldOut hold_out(const SplitData& split, std::span<const int64_t> samples, int64_t classes, const std::string& val) {
  const auto n = static_cast<int64_t>(samples.size());
  double fraction = 0;
  if (val == "auto") {
    const auto least = std::min<double>(200, static_cast<double>(n) / 5);
    fraction = n ? std::max(0.05 * static_cast<double>(n), least) / static_cast<double>(n) : 0;
  } else if (val != "none") {
    fraction = parse_double(val).value_or(0);
  }
  std::vector<std::vector<int64_t>> by_class(static_cast<size_t>(classes));
  for (const int64_t i : samples) by_class[static_cast<size_t>(split.labels()[static_cast<size_t>(i)])].push_back(i);
  HeldOut result;
  for (std::vector<int64_t>& members : by_class) {
    std::sort(members.begin(), members.end(),
              [&](int64_t a, int64_t b) { return std::pair(split.digest(a), a) < std::pair(split.digest(b), b); });
    const auto size = static_cast<int64_t>(members.size());
    auto cut = static_cast<int64_t>(std::lround(fraction * static_cast<double>(size)));
    if (fraction > 0 && size >= 2) cut = std::clamp<int64_t>(cut, 1, size - 1);
    while (cut > 0 && cut < size &&
           split.digest(members[static_cast<size_t>(cut)]) == split.digest(members[static_cast<size_t>(cut - 1)]))
      ++cut;
    if (cut == size) cut = 0;  // a class of one content stays in training
    result.val.insert(result.val.end(), members.begin(), members.begin() + cut);
    result.train.insert(result.train.end(), members.begin() + cut, members.end());
  }
  std::sort(result.val.begin(), result.val.end());
  std::sort(result.train.begin(), result.train.end());
  return result;
}

std::vector<float> class_weights(const std::string& spec, const std::vector<std::string>& classes,
                                 const SplitData& split, std::span<const int64_t> samples) {
  if (spec == "none") return {};
  std::vector<float> weights(classes.size(), 1.0F);
  if (spec == "auto") {
    std::vector<int64_t> counts(classes.size());
    for (const int64_t i : samples) ++counts[static_cast<size_t>(split.labels()[static_cast<size_t>(i)])];
    const auto present =
        static_cast<double>(std::count_if(counts.begin(), counts.end(), [](int64_t c) { return c > 0; }));
    for (size_t c = 0; c < classes.size(); ++c) {
      weights[c] =
          counts[c]
              ? static_cast<float>(static_cast<double>(samples.size()) / (present * static_cast<double>(counts[c])))
              : 0;
    }
    return weights;
  }
  for (const std::string& part : lepton::split(spec, ',')) {
    const size_t equals = part.rfind('=');
    const double value = equals == std::string::npos ? -1 : parse_double(part.substr(equals + 1)).value_or(-1);
    const auto it = std::find(classes.begin(), classes.end(), part.substr(0, equals));
    if (!(value >= 0)) fail(Exit::usage, "--class-weight {}: expected auto, none or NAME=WEIGHT,...", part);
    if (it == classes.end()) {
      const std::string near = nearest(part.substr(0, equals), classes);
      fail(Exit::usage, "--class-weight {}: no class of that name{}", part,
           near.empty() ? "" : "; did you mean '" + near + "'?");
    }
    weights[static_cast<size_t>(it - classes.begin())] = static_cast<float>(value);
  }
  return weights;
}

ParameterSet starting_parameters(const Graph& graph, uint64_t seed, const Model* initial,
                                 const std::vector<std::string>& classes) {
  ParameterSet parameters = initial_parameters(graph, seed);
  if (initial == nullptr) return parameters;
  std::set<std::string> fresh;  // what keeps its initial values
  if (initial->classes != classes) {
    for (const ParameterRef& ref : parameters_of(graph)) {
      if (ref.head) fresh.insert(ref.name);
    }
  }
  for (NamedTensor& tensor : parameters.tensors) {
    if (fresh.contains(tensor.name)) continue;
    const NamedTensor* known = initial->weights.find(tensor.name);
    if (known == nullptr || !(known->shape == tensor.shape)) {
      fail(Exit::mismatch,
           "--init: the model's {} is {}, this network needs {}; leave out --net to take the model's own", tensor.name,
           known == nullptr ? "missing" : known->shape.to_string(), tensor.shape.to_string());
    }
    tensor.values = known->values;
  }
  return parameters;
}

}  // namespace lepton
