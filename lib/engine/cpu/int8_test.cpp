#include "engine/cpu/int8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace lepton::cpu {
namespace {

// Numbers of both signs whose magnitudes reach beyond `range`.
std::vector<float> numbers(int64_t count, float range) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(range * 1.2F * std::sin(static_cast<float>(i * i % 1009)));
  return values;
}

AlignedFloats blocked(const Map& map, const std::vector<float>& plain, int64_t n) {
  AlignedFloats values(n * map.sample());
  for (int64_t s = 0; s < n; ++s) block(map, plain.data() + s * map.pixels() * map.c, values.data() + s * map.sample());
  return values;
}

std::vector<float> plain(const Map& map, const float* values, int64_t n) {
  std::vector<float> out(static_cast<size_t>(n * map.pixels() * map.c));
  for (int64_t s = 0; s < n; ++s) unblock(map, values + s * map.sample(), out.data() + s * map.pixels() * map.c);
  return out;
}

// A plan of one chain: floats to bytes, `ops` on them, and what comes out.
struct Chain {
  static constexpr int64_t kBatch = 3;
  Arena arena;
  std::vector<std::unique_ptr<Op>> ops;
  int inputs = 0;

  Value floats(const Map& map) { return {map, false, Element::fp32, arena.add(kBatch * map.sample())}; }
  ByteValue bytes(const Map& map, ByteFormat format) {
    ByteValue value{map, format};
    value.buffer = arena.add((kBatch * value.sample() + 3) / 4);
    return value;
  }
  void fill(const Value& value, const std::vector<float>& plain_values) {
    const AlignedFloats from = blocked(value.map, plain_values, kBatch);
    std::copy_n(from.data(), from.size(), arena.at(value.buffer));
  }
  void plan() {
    for (size_t i = 0; i < ops.size(); ++i) {  // all at once: inputs are filled before the first
      for (const int buffer : ops[i]->forward_buffers) {
        arena.touch(buffer, 0);
        arena.touch(buffer, static_cast<int>(ops.size()));
      }
    }
    arena.plan();
    for (auto& op : ops) op->bind(arena);
  }
  void run() {
    for (auto& op : ops) op->forward({nullptr, kBatch});
  }
};

float held(const ByteFormat& format, float value) {
  return format.scale * std::clamp(std::nearbyint(value * (1 / format.scale)), format.low(), format.high());
}

class Int8Ops : public testing::TestWithParam<bool> {
 protected:
  const Map map_{5, 7, 21};
  const float range_ = 3;
  const ByteFormat format_ = ByteFormat::of_range(range_, GetParam());
  const std::vector<float> x_ = numbers(Chain::kBatch * map_.pixels() * map_.c, range_);
};

TEST_P(Int8Ops, BytesHoldTheNearestStepAndCutWhatIsLarger) {
  Chain chain;
  const Value in = chain.floats(map_), out = chain.floats(map_);
  const ByteValue bytes = chain.bytes(map_, format_);
  chain.ops.push_back(make_quantise(0, Chain::kBatch, in, bytes));
  chain.ops.push_back(make_dequantise(0, Chain::kBatch, bytes, out));
  chain.plan();
  chain.fill(in, x_);
  chain.run();
  const std::vector<float> y = plain(map_, chain.arena.at(out.buffer), Chain::kBatch);
  for (size_t i = 0; i < y.size(); ++i) ASSERT_FLOAT_EQ(y[i], held(format_, x_[i])) << i;
  EXPECT_FLOAT_EQ(*std::max_element(y.begin(), y.end()), range_);
  EXPECT_FLOAT_EQ(*std::min_element(y.begin(), y.end()), GetParam() ? -range_ : 0);
  const std::vector<float> all(chain.arena.at(out.buffer), chain.arena.at(out.buffer) + Chain::kBatch * map_.sample());
  const AlignedFloats expected = blocked(map_, y, Chain::kBatch);
  EXPECT_TRUE(std::equal(all.begin(), all.end(), expected.data())) << "padding is 0";
}

TEST_P(Int8Ops, PoolsBytes) {
  const Map half{3, 4, 21}, one{1, 1, 21};
  const PoolShape window{5, 7, 3, 4, 3, 3, 2, 2, 1, 1}, whole{5, 7, 1, 1, 5, 7, 5, 7, 0, 0};
  Chain chain;
  const Value in = chain.floats(map_), largest = chain.floats(half), mean = chain.floats(one);
  const ByteValue bytes = chain.bytes(map_, format_), pooled = chain.bytes(half, format_);
  chain.ops.push_back(make_quantise(0, Chain::kBatch, in, bytes));
  chain.ops.push_back(make_int8_maxpool(0, Chain::kBatch, window, bytes, pooled));
  chain.ops.push_back(make_dequantise(0, Chain::kBatch, pooled, largest));
  chain.ops.push_back(make_int8_avgpool(0, Chain::kBatch, whole, bytes, mean));
  chain.plan();
  chain.fill(in, x_);
  chain.run();
  const std::vector<float> max = plain(half, chain.arena.at(largest.buffer), Chain::kBatch);
  const std::vector<float> average = plain(one, chain.arena.at(mean.buffer), Chain::kBatch);
  const auto value = [&](int64_t s, int64_t y, int64_t x, int64_t c) {
    return held(format_, x_[static_cast<size_t>(((s * 5 + y) * 7 + x) * 21 + c)]);
  };
  for (int64_t s = 0; s < Chain::kBatch; ++s) {
    for (int64_t c = 0; c < 21; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < 35; ++i) sum += static_cast<double>(value(s, i / 7, i % 7, c));
      ASSERT_NEAR(average[static_cast<size_t>(s * 21 + c)], sum / 35, 1e-5);
      for (int64_t o = 0; o < 12; ++o) {
        float best = -1e9F;
        for (int64_t y = std::max<int64_t>(0, 2 * (o / 4) - 1); y <= std::min<int64_t>(4, 2 * (o / 4) + 1); ++y) {
          for (int64_t x = std::max<int64_t>(0, 2 * (o % 4) - 1); x <= std::min<int64_t>(6, 2 * (o % 4) + 1); ++x) {
            best = std::max(best, value(s, y, x, c));
          }
        }
        ASSERT_FLOAT_EQ(max[static_cast<size_t>((s * 12 + o) * 21 + c)], best);
      }
    }
  }
}

TEST_P(Int8Ops, AddsBytesOfDifferentScales) {
  Chain chain;
  const Value in = chain.floats(map_), other = chain.floats(map_), out = chain.floats(map_);
  const ByteFormat unsigned_format = ByteFormat::of_range(1, false),
                   sum_format = ByteFormat::of_range(3.5F, GetParam());
  const ByteValue a = chain.bytes(map_, format_), b = chain.bytes(map_, unsigned_format),
                  y = chain.bytes(map_, sum_format);
  chain.ops.push_back(make_quantise(0, Chain::kBatch, in, a));
  chain.ops.push_back(make_quantise(0, Chain::kBatch, other, b));
  chain.ops.push_back(make_int8_add(0, Chain::kBatch, a, b, y));
  chain.ops.push_back(make_dequantise(0, Chain::kBatch, y, out));
  chain.plan();
  std::vector<float> second = x_;
  std::reverse(second.begin(), second.end());
  chain.fill(in, x_);
  chain.fill(other, second);
  chain.run();
  const std::vector<float> sums = plain(map_, chain.arena.at(out.buffer), Chain::kBatch);
  for (size_t i = 0; i < sums.size(); ++i) {
    const float exact = held(format_, x_[i]) + held(unsigned_format, second[i]);
    ASSERT_NEAR(sums[i], std::clamp(exact, sum_format.low() * sum_format.scale, 3.5F), 0.501 * sum_format.scale) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Signs, Int8Ops, testing::Bool(),
                         [](const auto& of) { return of.param ? "Signed" : "Unsigned"; });

TEST(Int8Kernel, EachOutputChannelHasItsOwnScale) {
  const Shape shape{3, 3, 5, 4};
  std::vector<float> hwio(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < hwio.size(); ++i) {
    const size_t o = i % 4;
    hwio[i] = o == 3 ? 0.0F : std::sin(static_cast<float>(i)) * std::pow(10.0F, static_cast<float>(o));
  }
  const Int8Kernel kernel = quantise_kernel(hwio, shape);
  ASSERT_EQ(std::ssize(kernel.scales), 16);
  ASSERT_EQ(std::ssize(kernel.bytes), 16 * 16 * 9);
  EXPECT_EQ(kernel.scales[3], 1);
  for (int64_t o = 0; o < 16; ++o) {
    int largest = 0;
    for (int64_t i = 0; i < 16; ++i) {
      for (int64_t tap = 0; tap < 9; ++tap) {
        const int byte = kernel.bytes[static_cast<size_t>((o * 16 + i) * 9 + tap)];
        largest = std::max(largest, std::abs(byte));
        const bool there = o < 4 && i < 5;
        const float weight = there ? hwio[static_cast<size_t>((tap * 5 + i) * 4 + o)] : 0.0F;
        const float scale = kernel.scales[static_cast<size_t>(o)];
        ASSERT_NEAR(static_cast<float>(byte) * scale, weight, 0.501F * scale);
      }
    }
    EXPECT_EQ(largest, o < 3 ? 127 : 0) << o;
  }
}

}  // namespace
}  // namespace lepton::cpu
