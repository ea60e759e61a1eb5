#include "base/shape.h"

#include "base/error.h"

namespace lepton {

Shape::Shape(std::initializer_list<int64_t> extents) {
  for (const int64_t extent : extents) push_back(extent);
}

void Shape::push_back(int64_t extent) {
  if (rank_ == 4) fail(Exit::bug, "a shape has at most four axes");
  extent_[static_cast<size_t>(rank_++)] = extent;
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (int axis = 0; axis < rank_; ++axis) product *= (*this)[axis];
  return product;
}

std::string Shape::to_string() const {
  std::string text;
  for (int axis = 0; axis < rank_; ++axis) text += (axis ? "x" : "") + std::to_string((*this)[axis]);
  return text;
}

}  // namespace lepton
