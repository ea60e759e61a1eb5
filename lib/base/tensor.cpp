#include "base/tensor.h"

#include <algorithm>

#include "base/error.h"

namespace lepton {

const NamedTensor* ParameterSet::find(std::string_view name) const {
  const auto it = std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& t) { return t.name == name; });
  return it == tensors.end() ? nullptr : &*it;
}

NamedTensor* ParameterSet::find(std::string_view name) {
  return const_cast<NamedTensor*>(std::as_const(*this).find(name));
}

const NamedTensor& ParameterSet::at(std::string_view name) const {
  if (const NamedTensor* tensor = find(name)) return *tensor;
  fail(Exit::mismatch, "the parameters lack '{}'", name);
}

}  // namespace lepton
