#pragma once
// The update of all parameters in few launches: what is elementwise in one, Muon's matrices together. Formulas:
// kernels/optimizer.h. Of the flat buffers every stretch of 64 floats belongs to one parameter (parameters.h).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/hd.h"
#include "cuda/memory.h"
#include "cuda/parameters.h"
#include "cuda/policy.h"
#include "cuda/step.h"
#include "cuda/sums.h"
#include "kernels/optimizer.h"

namespace lepton::cuda {

// What an update reads on the device: rates and decays of each parameter, and what is the same for all.
struct Moving {
  const float *rates, *decays;
  const StepNumbers* numbers;
  const Verdict* verdict;

  LEPTON_HD bool stands() const { return verdict->go == 0; }
  LEPTON_HD float factor() const { return verdict->factor; }
  LEPTON_HD kernels::Sgd<float> of(kernels::Sgd<float> rule, int32_t slot) const {
    rule.rate = rates[slot], rule.decay = decays[slot], rule.factor = factor();
    return rule;
  }
  LEPTON_HD kernels::AdamW<float> of(kernels::AdamW<float> rule, int32_t slot) const {
    rule.rate = rates[slot], rule.decay = decays[slot], rule.factor = factor();
    rule.correction1 = numbers->correction1, rule.correction2 = numbers->correction2;
    return rule;
  }
};

// One float each; owners: the parameter that each stretch is of, or -1 where another kernel updates it.
struct SgdStep {
  kernels::Sgd<float> rule;  // but for what moves
  Moving moving;
  const int32_t* owners;
  float* w;
  const float* g;
  float* velocity;
  LEPTON_HD void operator()(int64_t i) const {
    if (owners[i / 64] >= 0) take(i, owners[i / 64], g[i]);
  }
  LEPTON_HD void take(int64_t i, int32_t slot, float gradient) const {
    if (!moving.stands()) moving.of(rule, slot)(w[i], gradient, velocity[i]);
  }
};

struct AdamWStep {
  kernels::AdamW<float> rule;  // but for what moves
  Moving moving;
  const int32_t* owners;
  float* w;
  const float* g;
  float *first, *second;
  LEPTON_HD void operator()(int64_t i) const {
    if (owners[i / 64] >= 0) take(i, owners[i / 64], g[i]);
  }
  LEPTON_HD void take(int64_t i, int32_t slot, float gradient) const {
    if (!moving.stands()) moving.of(rule, slot)(w[i], gradient, first[i], second[i]);
  }
};

// One matrix. Matrices stand in Muon's buffers a whole number of blocks apart; what lies between stays 0.
struct MuonPiece {
  int64_t flat, work, size, first_block, blocks;  // flat, work: where it begins in the parameters, in Muon's buffers
  int64_t outputs;
  int32_t slot;
};

constexpr int64_t kMuonBlock = 4096, kMuonLanes = 64;

struct MuonPieces {
  const MuonPiece* pieces;
  const int32_t* of_block;
  LEPTON_HD const MuonPiece& operator()(int64_t block) const { return pieces[of_block[block]]; }
};

// One value of a matrix each, over all blocks.
struct MuonMomentum {
  Moving moving;
  float momentum;
  bool nesterov;
  MuonPieces pieces;
  const float* g;
  float *velocity, *direction;
  LEPTON_HD void operator()(int64_t i) const {
    const MuonPiece& piece = pieces(i / kMuonBlock);
    const int64_t at = i - piece.work, flat = piece.flat + at;
    if (at >= piece.size || moving.stands()) return;
    direction[i] = kernels::MuonDirection<float>{momentum, moving.factor(), nesterov}(g[flat], velocity[flat]);
  }
};

// Squares of direction and weight, summed: by lanes of a block, blocks, matrices.
struct MuonSquares {
  MuonPieces pieces;
  const float *direction, *w;
  Two* lanes;
  LEPTON_HD void operator()(int64_t i) const {
    const MuonPiece& piece = pieces(i / kMuonLanes);
    const int64_t begin = i / kMuonLanes * kMuonBlock + i % kMuonLanes;
    Two sum = 0;
    for (int64_t k = begin; k < begin + kMuonBlock && k - piece.work < piece.size; k += kMuonLanes) {
      const auto x = static_cast<double>(direction[k]), v = static_cast<double>(w[piece.flat + k - piece.work]);
      sum += Two(x * x, v * v);
    }
    lanes[i] = sum;
  }
};

struct MuonBlockSums {
  const Two* lanes;
  Two* blocks;
  LEPTON_HD void operator()(int64_t block) const {
    Two sum = 0;
    for (int64_t lane = 0; lane < kMuonLanes; ++lane) sum += lanes[block * kMuonLanes + lane];
    blocks[block] = sum;
  }
};

struct MuonPieceSums {
  const MuonPiece* pieces;
  const Two* blocks;
  Two* sums;
  LEPTON_HD void operator()(int64_t i) const {
    Two sum = 0;
    for (int64_t k = 0; k < pieces[i].blocks; ++k) sum += blocks[pieces[i].first_block + k];
    sums[i] = sum;
  }
};

struct MuonNormalize {
  MuonPieces pieces;
  const Two* sums;
  float* direction;
  LEPTON_HD void operator()(int64_t i) const {
    const double square = sums[pieces.of_block[i / kMuonBlock]].a;
    direction[i] *= static_cast<float>(1 / (std::sqrt(square) + kernels::NewtonSchulz::kEpsilon));
  }
};

struct MuonStep {
  Moving moving;
  MuonPieces pieces;
  const Two* sums;
  const float* direction;
  float* w;
  LEPTON_HD void operator()(int64_t i) const {
    const MuonPiece& piece = pieces(i / kMuonBlock);
    const int64_t at = i - piece.work;
    if (at >= piece.size || moving.stands()) return;
    const double square = sums[pieces.of_block[i / kMuonBlock]].b;  // of w before the step
    const auto reset = static_cast<float>(kernels::muon_reset(std::sqrt(square), piece.outputs));
    const kernels::MuonUpdate<float> update{moving.rates[piece.slot], moving.decays[piece.slot], reset};
    update(w[piece.flat + at], direction[i]);
  }
};

// Matrices of the same shape are multiplied in one batch.
template <class P>
class Muon {
 public:
  // matrices: which slots of `parameters`.
  Muon(P& policy, Parameters<P>& parameters, const std::vector<size_t>& matrices, bool tf32)
      : policy_(policy), parameters_(parameters), tf32_(tf32) {
    place(matrices);
    if (pieces_.empty()) return;
    std::vector<int32_t> of_block;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      of_block.insert(of_block.end(), static_cast<size_t>(pieces_[i].blocks), static_cast<int32_t>(i));
    }
    blocks_ = std::ssize(of_block);
    on_device_ = uploaded(pieces_);
    of_block_ = uploaded(of_block);
    x_ = memory_of<float>(policy, blocks_ * kMuonBlock);
    next_ = memory_of<float>(policy, blocks_ * kMuonBlock);
    int64_t most = 0;
    for (const Group& group : groups_) most = std::max(most, group.count * group.side() * group.side());
    square_ = memory_of<float>(policy, most);
    fourth_ = memory_of<float>(policy, most);
    sums_ = memory_of<Two>(policy, blocks_ * (kMuonLanes + 1) + std::ssize(pieces_));
  }

  // velocity: flat, as the parameters are.
  void update(const Moving& moving, float momentum, bool nesterov, float* velocity) {
    if (pieces_.empty()) return;
    const int64_t count = blocks_ * kMuonBlock;
    const MuonPieces pieces{on_device_.template as<MuonPiece>(), of_block_.template as<int32_t>()};
    auto *w = parameters_.values.template as<float>(), *x = x_.template as<float>();
    const auto* g = parameters_.gradients.template as<float>();
    auto* lanes = sums_.template as<Two>();
    Two *blocks = lanes + blocks_ * kMuonLanes, *sums = blocks + blocks_;
    policy_.launch(count, MuonMomentum{moving, momentum, nesterov, pieces, g, velocity, x});
    policy_.launch(blocks_ * kMuonLanes, MuonSquares{pieces, x, w, lanes});
    policy_.launch(blocks_, MuonBlockSums{lanes, blocks});
    policy_.launch(std::ssize(pieces_), MuonPieceSums{pieces.pieces, blocks, sums});
    policy_.launch(count, MuonNormalize{pieces, sums, x});
    float* next = next_.template as<float>();
    for (int round = 0; round < kernels::NewtonSchulz::kSteps; ++round) {
      for (const Group& group : groups_) newton_schulz(group, x, next);
      std::swap(x, next);
    }
    policy_.launch(count, MuonStep{moving, pieces, sums, x, w});
  }

 private:
  struct Group {  // `count` matrices [rows, columns], `stride` apart
    int64_t rows, columns, work, stride, count;
    int64_t side() const { return std::min(rows, columns); }
  };

  void place(const std::vector<size_t>& matrices) {
    int64_t at = 0, block = 0;
    for (const size_t first : matrices) {
      const int64_t rows = outputs(first), columns = parameters_.slots[first].size() / rows;
      const auto same = [&](const Group& group) { return group.rows == rows && group.columns == columns; };
      if (std::any_of(groups_.begin(), groups_.end(), same)) continue;
      const int64_t blocks = (rows * columns + kMuonBlock - 1) / kMuonBlock;
      groups_.push_back({rows, columns, at, blocks * kMuonBlock, 0});
      for (const size_t slot : matrices) {
        if (outputs(slot) != rows || parameters_.slots[slot].size() != rows * columns) continue;
        pieces_.push_back(
            {parameters_.slots[slot].offset, at, rows * columns, block, blocks, rows, static_cast<int32_t>(slot)});
        ++groups_.back().count;
        at += blocks * kMuonBlock;
        block += blocks;
      }
    }
  }

  int64_t outputs(size_t slot) const {
    const Shape& shape = parameters_.slots[slot].parameter.shape;
    return shape[shape.rank() - 1];
  }

  template <class V>
  Memory<P> uploaded(const std::vector<V>& values) {
    auto memory = memory_of<V>(policy_, std::ssize(values));
    policy_.upload(memory.template as<void>(), values.data(), memory.bytes());
    return memory;
  }

  // next <- a X + (b A + c A A) X, X being column-major [outputs, inputs]; A is X's square on its shorter side.
  void newton_schulz(const Group& group, const float* from, float* to) {
    using Steps = kernels::NewtonSchulz;
    const int64_t rows = group.rows, columns = group.columns, s = group.side();
    const bool left = rows <= columns;  // A = X X^T, else X^T X
    const float* x = from + group.work;
    float *next = to + group.work, *a = square_.template as<float>(), *b = fourth_.template as<float>();
    Gemm square{!left, left, s, s, left ? columns : rows, x, rows, x, rows, a, s};
    square.stride_a = square.stride_b = group.stride;
    Gemm fourth{false, false, s, s, s, a, s, a, s, b, s, static_cast<float>(Steps::kC), static_cast<float>(Steps::kB)};
    fourth.source = a;
    fourth.stride_a = fourth.stride_b = s * s;
    square.stride_c = fourth.stride_c = s * s;
    Gemm last{false, false, rows, columns, s, left ? b : x, rows, left ? x : b, s, next, rows};
    last.beta = static_cast<float>(Steps::kA);
    last.source = x;
    last.stride_a = left ? s * s : group.stride;
    last.stride_b = left ? group.stride : s * s;
    last.stride_c = group.stride;
    for (Gemm* g : {&square, &fourth, &last}) {
      g->batch = group.count;
      g->tf32 = tf32_;
      policy_.gemm(*g);
    }
  }

  P& policy_;
  Parameters<P>& parameters_;
  bool tf32_;
  std::vector<MuonPiece> pieces_;  // group by group
  std::vector<Group> groups_;
  int64_t blocks_ = 0;
  Memory<P> on_device_, of_block_, x_, next_, square_, fourth_, sums_;
};

}  // namespace lepton::cuda
