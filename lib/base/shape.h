#pragma once
// Shapes: images N H W C, kernels HWIO, matrices M N K, sequences N T F. Sizes are int64_t.
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace lepton {

// Up to four extents, outermost first. A sample's shape leaves N out: {H,W,C} for images, {D} for rows.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> extents);
  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return extent_[static_cast<size_t>(axis)]; }
  void push_back(int64_t extent);
  int64_t elements() const;       // product of the extents; 1 for rank 0
  std::string to_string() const;  // "32x32x3"
  bool operator==(const Shape&) const = default;

 private:
  std::array<int64_t, 4> extent_{};
  int rank_ = 0;
};

}  // namespace lepton
