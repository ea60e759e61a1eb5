#include <algorithm>

#include "engine/cpu/int8.h"

namespace lepton::cpu {
namespace {

const uint8_t* bytes_at(const Arena& arena, int buffer) { return reinterpret_cast<const uint8_t*>(arena.at(buffer)); }
uint8_t* writable_at(const Arena& arena, int buffer) { return reinterpret_cast<uint8_t*>(arena.at(buffer)); }

// Zeros in the lanes behind a sample's last channel.
void clear_padding(const Map& map, float* y) {
  const int64_t lanes = simd().lanes, rest = map.c % lanes;
  float* last = y + (map.blocks() - 1) * map.plane();
  for (int64_t p = 0; rest > 0 && p < map.pixels(); ++p)
    std::fill(last + p * lanes + rest, last + (p + 1) * lanes, 0.0F);
}

// What they share: sample(s) for each of the batch, on several threads where that is worth their meeting.
class Int8Op : public Op {
 public:
  Int8Op(NodeId id, int64_t batch, std::vector<int> buffers, int64_t sample) : batch_(batch), sample_(sample) {
    node = id;
    forward_buffers = std::move(buffers);
  }
  void bind(const Arena& arena) override { arena_ = &arena; }
  void forward(const Run&) override {
    [[maybe_unused]] const bool shared = batch_ * sample_ > 256 << 10;  // bytes
#pragma omp parallel for schedule(static) if (shared)
    for (int64_t s = 0; s < batch_; ++s) sample(*arena_, s);
  }

 private:
  virtual void sample(const Arena& arena, int64_t s) const = 0;

  int64_t batch_, sample_;
  const Arena* arena_ = nullptr;
};

class Quantise : public Int8Op {
 public:
  Quantise(NodeId id, int64_t batch, const Value& in, const ByteValue& out)
      : Int8Op(id, batch, {in.buffer, out.buffer}, out.sample()), in_(in), out_(out) {}

 private:
  void sample(const Arena& arena, int64_t s) const override {
    const Map& map = in_.map;
    const ByteFormat& f = out_.format;
    for (int64_t block = 0; block < map.blocks(); ++block) {
      int8_loops().quantise(
          arena.at(in_.buffer) + s * map.sample() + block * map.plane(), map.pixels(), 1 / f.scale, f.low(), f.high(),
          writable_at(arena, out_.buffer) + s * out_.sample() + block * simd().lanes, out_.channels());
    }
  }
  Value in_;
  ByteValue out_;
};

class Dequantise : public Int8Op {
 public:
  Dequantise(NodeId id, int64_t batch, const ByteValue& in, const Value& out)
      : Int8Op(id, batch, {in.buffer, out.buffer}, in.sample()), in_(in), out_(out) {}

 private:
  // What stands behind the last channel means nothing among bytes and is 0 among floats.
  void sample(const Arena& arena, int64_t s) const override {
    const Map& map = out_.map;
    const int64_t lanes = simd().lanes;
    float* y = arena.at(out_.buffer) + s * map.sample();
    for (int64_t block = 0; block < map.blocks(); ++block) {
      int8_loops().dequantise(bytes_at(arena, in_.buffer) + s * in_.sample() + block * lanes, in_.format.is_signed,
                              map.pixels(), in_.channels(), in_.format.scale, y + block * map.plane());
    }
    clear_padding(map, y);
  }
  ByteValue in_;
  Value out_;
};

class Int8MaxPool : public Int8Op {
 public:
  Int8MaxPool(NodeId id, int64_t batch, const PoolShape& shape, const ByteValue& in, const ByteValue& out)
      : Int8Op(id, batch, {in.buffer, out.buffer}, in.sample()), shape_(shape), in_(in), out_(out) {}

 private:
  void sample(const Arena& arena, int64_t s) const override {
    int8_loops().maxpool(bytes_at(arena, in_.buffer) + s * in_.sample(), in_.format.is_signed, in_.channels(), shape_,
                         writable_at(arena, out_.buffer) + s * out_.sample());
  }
  PoolShape shape_;
  ByteValue in_, out_;
};

class Int8AvgPool : public Int8Op {
 public:
  Int8AvgPool(NodeId id, int64_t batch, const PoolShape& shape, const ByteValue& in, const Value& out)
      : Int8Op(id, batch, {in.buffer, out.buffer}, in.sample()), shape_(shape), in_(in), out_(out) {}

 private:
  void sample(const Arena& arena, int64_t s) const override {
    const Map& map = out_.map;
    const int64_t lanes = simd().lanes;
    float* y = arena.at(out_.buffer) + s * map.sample();
    for (int64_t block = 0; block < map.blocks(); ++block) {
      int8_loops().avgpool(bytes_at(arena, in_.buffer) + s * in_.sample() + block * lanes, in_.format.is_signed,
                           in_.channels(), shape_, in_.format.scale, y + block * map.plane());
    }
    clear_padding(map, y);
  }
  PoolShape shape_;
  ByteValue in_;
  Value out_;
};

class Int8Add : public Int8Op {
 public:
  Int8Add(NodeId id, int64_t batch, const ByteValue& a, const ByteValue& b, const ByteValue& out)
      : Int8Op(id, batch, {a.buffer, b.buffer, out.buffer}, 2 * out.sample()), a_(a), b_(b), out_(out) {}

 private:
  void sample(const Arena& arena, int64_t s) const override {
    const ByteFormat& f = out_.format;
    const int64_t at = s * out_.sample();
    int8_loops().add(bytes_at(arena, a_.buffer) + at, a_.format.is_signed, a_.format.scale / f.scale,
                     bytes_at(arena, b_.buffer) + at, b_.format.is_signed, b_.format.scale / f.scale, out_.sample(),
                     f.low(), f.high(), writable_at(arena, out_.buffer) + at);
  }
  ByteValue a_, b_, out_;
};

}  // namespace

const Int8Loops& int8_loops() {
  return &simd() == &kSimdAvx512 ? kInt8Avx512 : &simd() == &kSimdAvx2 ? kInt8Avx2 : kInt8Sse;
}

bool exact_bytes() {
  static const bool exact = has_vnni();
  return exact;
}

ByteFormat ByteFormat::of_range(float range, bool is_signed) {
  ByteFormat format{1, is_signed};
  format.scale = range / format.high();
  return format;
}

std::unique_ptr<Op> make_quantise(NodeId node, int64_t batch, const Value& in, const ByteValue& out) {
  return std::make_unique<Quantise>(node, batch, in, out);
}
std::unique_ptr<Op> make_dequantise(NodeId node, int64_t batch, const ByteValue& in, const Value& out) {
  return std::make_unique<Dequantise>(node, batch, in, out);
}
std::unique_ptr<Op> make_int8_maxpool(NodeId node, int64_t batch, const PoolShape& shape, const ByteValue& in,
                                      const ByteValue& out) {
  return std::make_unique<Int8MaxPool>(node, batch, shape, in, out);
}
std::unique_ptr<Op> make_int8_avgpool(NodeId node, int64_t batch, const PoolShape& shape, const ByteValue& in,
                                      const Value& out) {
  return std::make_unique<Int8AvgPool>(node, batch, shape, in, out);
}
std::unique_ptr<Op> make_int8_add(NodeId node, int64_t batch, const ByteValue& a, const ByteValue& b,
                                  const ByteValue& out) {
  return std::make_unique<Int8Add>(node, batch, a, b, out);
}

}  // namespace lepton::cpu
