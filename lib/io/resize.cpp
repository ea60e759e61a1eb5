#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "io/image.h"

namespace lepton {
namespace {

constexpr int kFractionBits = 22;  // weights of one output sum to 2^22: 255 * 2^22 fits in 32 bits

// The part of one axis that is resampled, in source pixels.
struct Range {
  double begin = 0, length = 0;
};

// Where each output pixel reads: weights[first_weight, first_weight + count) times source pixels from first_pixel on.
struct Tap {
  int64_t first_pixel, count;
  size_t first_weight;
};

struct Taps {
  std::vector<Tap> taps;
  std::vector<int32_t> weights;
};

// Triangle of half width max(1, reduction) around each output pixel's centre, cut at the image's edge and normalised.
Taps triangle_taps(int64_t source, Range range, int64_t target) {
  Taps result;
  const double scale = range.length / static_cast<double>(target), support = std::max(1.0, scale);
  std::vector<double> values;
  for (int64_t i = 0; i < target; ++i) {
    const double centre = range.begin + (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(std::floor(centre - support + 0.5)));
    const int64_t end = std::min<int64_t>(source, static_cast<int64_t>(std::floor(centre + support + 0.5)));
    values.clear();
    double sum = 0;
    for (int64_t pixel = first; pixel < end; ++pixel) {
      const double distance = std::abs(static_cast<double>(pixel) + 0.5 - centre) / support;
      values.push_back(std::max(0.0, 1.0 - distance));
      sum += values.back();
    }
    result.taps.push_back({first, end - first, result.weights.size()});
    for (const double value : values) {
      result.weights.push_back(static_cast<int32_t>(std::lround(value / sum * (1 << kFractionBits))));
    }
  }
  return result;
}

uint8_t rounded(int32_t sum) {
  return static_cast<uint8_t>(std::clamp((sum + (1 << (kFractionBits - 1))) >> kFractionBits, 0, 255));
}

uint8_t* weigh_gray(const int32_t* weights, int64_t count, const uint8_t* in, uint8_t* out) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += weights[i] * in[i];
  *out++ = rounded(sum);
  return out;
}

uint8_t* weigh_rgb(const int32_t* weights, int64_t count, const uint8_t* in, uint8_t* out) {
  int32_t red = 0, green = 0, blue = 0;
  for (int64_t i = 0; i < count; ++i) {
    red += weights[i] * in[3 * i];
    green += weights[i] * in[3 * i + 1];
    blue += weights[i] * in[3 * i + 2];
  }
  for (const int32_t sum : {red, green, blue}) *out++ = rounded(sum);
  return out;
}

Image resample_rows(const Image& image, const Taps& taps) {
  const int64_t c = image.channels, width = static_cast<int64_t>(taps.taps.size());
  Image result{image.height, width, c, std::vector<uint8_t>(static_cast<size_t>(image.height * width * c))};
  uint8_t* out = result.pixels.data();
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* row = image.pixels.data() + y * image.width * c;
    for (const Tap& tap : taps.taps) {
      const int32_t* weights = taps.weights.data() + tap.first_weight;
      const uint8_t* in = row + tap.first_pixel * c;
      out = c == 1 ? weigh_gray(weights, tap.count, in, out) : weigh_rgb(weights, tap.count, in, out);
    }
  }
  return result;
}

Image resample_columns(const Image& image, const Taps& taps) {
  const int64_t stride = image.width * image.channels, height = static_cast<int64_t>(taps.taps.size());
  Image result{height, image.width, image.channels, std::vector<uint8_t>(static_cast<size_t>(height * stride))};
  std::vector<int32_t> sums(static_cast<size_t>(stride));
  uint8_t* out = result.pixels.data();
  for (const Tap& tap : taps.taps) {
    std::fill(sums.begin(), sums.end(), 0);
    for (int64_t i = 0; i < tap.count; ++i) {
      const int32_t weight = taps.weights[tap.first_weight + static_cast<size_t>(i)];
      const uint8_t* in = image.pixels.data() + (tap.first_pixel + i) * stride;
      for (int64_t j = 0; j < stride; ++j) sums[static_cast<size_t>(j)] += weight * in[j];
    }
    for (const int32_t sum : sums) *out++ = rounded(sum);
  }
  return result;
}

bool whole(Range range, int64_t source, int64_t target) {
  return range.begin == 0 && source == target && range.length == static_cast<double>(source);
}

Image resample(const Image& image, Range columns, int64_t width, Range rows, int64_t height) {
  Image narrowed;
  const Image* source = &image;
  if (!whole(columns, image.width, width)) {
    narrowed = resample_rows(image, triangle_taps(image.width, columns, width));
    source = &narrowed;
  }
  if (!whole(rows, image.height, height)) {
    return resample_columns(*source, triangle_taps(image.height, rows, height));
  }
  if (source == &image) return image;
  return narrowed;
}

// The larger of the two extents a fit may take on an axis: the other axis decides the scale.
int64_t fitted(int64_t extent, int64_t other_source, int64_t other_target, int64_t limit) {
  const double exact =
      static_cast<double>(extent) * static_cast<double>(other_target) / static_cast<double>(other_source);
  return std::clamp<int64_t>(std::llrint(exact), 1, limit);
}

Image pad(const Image& image, int64_t width, int64_t height) {
  const int64_t c = image.channels, top = (height - image.height) / 2, left = (width - image.width) / 2;
  Image result{height, width, c, std::vector<uint8_t>(static_cast<size_t>(height * width * c))};
  for (int64_t y = 0; y < image.height; ++y) {
    std::copy_n(image.pixels.begin() + y * image.width * c, image.width * c,
                result.pixels.begin() + ((top + y) * width + left) * c);
  }
  return result;
}

}  // namespace

Image resize_image(const Image& image, int64_t width, int64_t height, ResizeMode mode) {
  if (width <= 0 || height <= 0 || image.width <= 0 || image.height <= 0) {
    fail(Exit::usage, "cannot resize {}x{} to {}x{}: sizes must be positive", image.width, image.height, width, height);
  }
  Range columns{0, static_cast<double>(image.width)}, rows{0, static_cast<double>(image.height)};
  const double wide = columns.length * static_cast<double>(height), tall = rows.length * static_cast<double>(width);
  switch (mode) {
    case ResizeMode::stretch:
      break;
    case ResizeMode::crop:
      if (wide > tall) {
        columns.length = tall / static_cast<double>(height);
        columns.begin = (static_cast<double>(image.width) - columns.length) / 2;
      } else if (wide < tall) {
        rows.length = wide / static_cast<double>(width);
        rows.begin = (static_cast<double>(image.height) - rows.length) / 2;
      }
      break;
    case ResizeMode::fit: {
      const int64_t inner_width = wide < tall ? fitted(image.width, image.height, height, width) : width;
      const int64_t inner_height = wide > tall ? fitted(image.height, image.width, width, height) : height;
      Image inner = resample(image, columns, inner_width, rows, inner_height);
      return inner_width == width && inner_height == height ? inner : pad(inner, width, height);
    }
  }
  return resample(image, columns, width, rows, height);
}

}  // namespace lepton
