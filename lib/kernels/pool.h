#pragma once
// Pooling of one channel. Value (y, x) of the channel stands at plane[(y * width + x) * stride]. Padding is never read
// nor counted. Gradients are gathered: each input asks the windows that hold it.
#include <cstdint>

#include "base/hd.h"

namespace lepton::kernels {

struct Pool {
  int64_t height, width, out_height, out_width;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;

  struct Range {
    int64_t begin, end;
    LEPTON_HD int64_t size() const { return end - begin; }
  };
  LEPTON_HD Range rows(int64_t out_y) const { return inside(out_y * stride_h - pad_top, kernel_h, height); }
  LEPTON_HD Range columns(int64_t out_x) const { return inside(out_x * stride_w - pad_left, kernel_w, width); }
  // The windows that hold input row y, or column x.
  LEPTON_HD Range windows_of_row(int64_t y) const { return windows(y + pad_top, kernel_h, stride_h, out_height); }
  LEPTON_HD Range windows_of_column(int64_t x) const { return windows(x + pad_left, kernel_w, stride_w, out_width); }

 private:
  LEPTON_HD static Range inside(int64_t begin, int64_t extent, int64_t size) {
    const int64_t end = begin + extent;
    return {begin < 0 ? 0 : begin, end < size ? end : size};
  }
  LEPTON_HD static Range windows(int64_t place, int64_t extent, int64_t stride, int64_t count) {
    const int64_t begin = place < extent ? 0 : (place - extent) / stride + 1, end = place / stride + 1;
    return {begin, end < count ? end : count};
  }
};

// Position y * width + x of a window's largest value, in row order the first of equals.
template <class T>
struct MaxPool {
  Pool pool;

  template <class V>  // V: what values are stored as
  LEPTON_HD int64_t where(const V* plane, int64_t stride, int64_t out_y, int64_t out_x) const {
    const Pool::Range rows = pool.rows(out_y), columns = pool.columns(out_x);
    int64_t best = rows.begin * pool.width + columns.begin;
    for (int64_t y = rows.begin; y < rows.end; ++y) {
      for (int64_t x = columns.begin; x < columns.end; ++x) {
        if (plane[(y * pool.width + x) * stride] > plane[best * stride]) best = y * pool.width + x;
      }
    }
    return best;
  }
  LEPTON_HD T value(const T* plane, int64_t stride, int64_t out_y, int64_t out_x) const {
    return plane[where(plane, stride, out_y, out_x) * stride];
  }
  LEPTON_HD T gradient(const T* plane, const T* dy, int64_t stride, int64_t y, int64_t x) const {
    const Pool::Range rows = pool.windows_of_row(y), columns = pool.windows_of_column(x);
    T total = 0;
    for (int64_t oy = rows.begin; oy < rows.end; ++oy) {
      for (int64_t ox = columns.begin; ox < columns.end; ++ox) {
        if (where(plane, stride, oy, ox) == y * pool.width + x) total += dy[(oy * pool.out_width + ox) * stride];
      }
    }
    return total;
  }
};

// Mean of a window's values inside the map.
template <class T>
struct AvgPool {
  Pool pool;

  template <class V>  // V: what values are stored as
  LEPTON_HD T value(const V* plane, int64_t stride, int64_t out_y, int64_t out_x) const {
    const Pool::Range rows = pool.rows(out_y), columns = pool.columns(out_x);
    T total = 0;
    for (int64_t y = rows.begin; y < rows.end; ++y) {
      for (int64_t x = columns.begin; x < columns.end; ++x) total += plane[(y * pool.width + x) * stride];
    }
    return total / static_cast<T>(rows.size() * columns.size());
  }
  template <class V>
  LEPTON_HD T gradient(const V* dy, int64_t stride, int64_t y, int64_t x) const {
    const Pool::Range rows = pool.windows_of_row(y), columns = pool.windows_of_column(x);
    T total = 0;
    for (int64_t oy = rows.begin; oy < rows.end; ++oy) {
      for (int64_t ox = columns.begin; ox < columns.end; ++ox) {
        const int64_t count = pool.rows(oy).size() * pool.columns(ox).size();
        total += dy[(oy * pool.out_width + ox) * stride] / static_cast<T>(count);
      }
    }
    return total;
  }
};

}  // namespace lepton::kernels
