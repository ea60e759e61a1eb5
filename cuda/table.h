#pragma once
// The gradient of a table: of the rows whose tokens a batch holds, and of no other. Each place of the batch is a key,
// token and place in one; keys in order bring a row's places together, in the order of the batch. Sorting is merging by
// rank, every key finding its own place, so that nothing waits for another and the result is always the same.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/memory.h"
#include "cuda/sums.h"
#include "kernels/optimizer.h"
#include "net/graph.h"

namespace lepton::cuda {

constexpr int64_t kSortedRun = 32;  // keys that are put in order by comparing each with each
constexpr int64_t kPlaceRun = 128;  // places that one element of a launch adds up

struct PlaceKey {
  const int32_t* tokens;
  uint64_t* keys;
  LEPTON_HD void operator()(int64_t i) const {
    keys[i] = static_cast<uint64_t>(tokens[i]) << 32 | static_cast<uint64_t>(i);
  }
};

// Runs of kSortedRun keys in order.
struct SortRun {
  int64_t count;
  const uint64_t* from;
  uint64_t* to;

  LEPTON_HD void operator()(int64_t i) const {
    const int64_t begin = i / kSortedRun * kSortedRun, end = begin + kSortedRun < count ? begin + kSortedRun : count;
    int64_t rank = 0;
    for (int64_t k = begin; k < end; ++k) rank += from[k] < from[i] ? 1 : 0;
    to[begin + rank] = from[i];
  }
};

// Runs of `run` keys merged in pairs.
struct MergeRuns {
  int64_t count, run;
  const uint64_t* from;
  uint64_t* to;

  LEPTON_HD void operator()(int64_t i) const {
    const int64_t own = i / run, pair = own / 2 * 2 * run;
    int64_t low = least((own ^ 1) * run), high = least(((own ^ 1) + 1) * run);
    const int64_t other = low;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (from[middle] < from[i]) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    to[pair + (i - own * run) + (low - other)] = from[i];
  }
  LEPTON_HD int64_t least(int64_t k) const { return k < count ? k : count; }
};

// Places of a batch in the order of their tokens; padding, token 0, comes first and has no row.
struct SortedPlaces {
  const uint64_t* keys;
  int64_t count;

  LEPTON_HD int64_t token(int64_t k) const { return static_cast<int64_t>(keys[k] >> 32); }
  LEPTON_HD int64_t place(int64_t k) const { return static_cast<int64_t>(keys[k] & 0xFFFFFFFF); }
  // Whether k is the first place of its token.
  LEPTON_HD bool first(int64_t k) const { return token(k) != 0 && (k == 0 || token(k - 1) != token(k)); }
  LEPTON_HD bool same(int64_t k, int64_t other) const { return other < count && token(k) == token(other); }
};

// sums[k, width] of dy over the places from k on, up to the end of the token or of the run of kPlaceRun, for each k
// where either begins.
template <class T>
struct SumPlaces {
  SortedPlaces places;
  Divisor width;
  const T* dy;
  int64_t columns;
  float* sums;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [k, column] = width(i);
    if (!places.first(k) && (k % kPlaceRun != 0 || places.token(k) == 0)) return;
    const int64_t end = (k / kPlaceRun + 1) * kPlaceRun;
    float total = 0;
    for (int64_t j = k; j < end && places.same(k, j); ++j) {
      total += static_cast<float>(dy[places.place(j) * columns + column]);
    }
    sums[i] = total;
  }
};

// sums[k, width] of the whole row, where k is a token's first place.
struct SumRuns {
  SortedPlaces places;
  Divisor width;
  int64_t columns;
  float* sums;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [k, column] = width(i);
    if (!places.first(k)) return;
    float total = sums[i];
    for (int64_t j = (k / kPlaceRun + 1) * kPlaceRun; places.same(k, j); j += kPlaceRun) {
      total += sums[j * columns + column];
    }
    sums[i] = total;
  }
};

// Term of whole_sum: the square of each value of the gradient.
struct RowSquare {
  SortedPlaces places;
  Divisor width;
  const float* sums;

  LEPTON_HD double operator()(int64_t i) const {
    return places.first(width(i).quotient) ? static_cast<double>(sums[i]) * static_cast<double>(sums[i]) : 0;
  }
};

struct AddDouble {
  const double* from;
  double* to;
  LEPTON_HD void operator()(int64_t) const { *to += *from; }
};

// One update of each value of the rows. Step: take(index into the flat parameters w, slot, gradient), if its verdict is
// for it. average: of w, or nullptr.
template <class Step>
struct UpdateRows {
  SortedPlaces places;
  Divisor width;
  int64_t columns;
  const float* sums;
  Step step;
  int32_t slot;
  int64_t offset;  // of the table in w
  float* average;
  float keep;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [k, column] = width(i);
    if (!places.first(k)) return;
    const int64_t to = offset + places.token(k) * columns + column;
    step.take(to, slot, sums[i]);
    if (average != nullptr && !step.moving.stands())
      average[to] = kernels::moving_average(average[to], step.w[to], keep);
  }
};

template <class P>
class TableGradient {
 public:
  // table: [tokens, width]; most: places of the largest batch.
  TableGradient(P& policy, const Shape& table, int64_t most)
      : policy_(policy),
        columns_(table[1]),
        keys_(memory_of<uint64_t>(policy, most)),
        other_keys_(memory_of<uint64_t>(policy, most)),
        sums_(memory_of<float>(policy, most * columns_)),
        room_(memory_of<double>(policy, whole_sum_room(most * columns_) + 1)) {}

  // Of a batch of `count` places, dy [count, width].
  template <class T>
  void compute(const int32_t* tokens, int64_t count, const T* dy) {
    count_ = count;
    sort(tokens);
    auto* sums = sums_.template as<float>();
    policy_.launch(count * columns_, SumPlaces<T>{places(), Divisor(columns_), dy, columns_, sums});
    policy_.launch(count * columns_, SumRuns{places(), Divisor(columns_), columns_, sums});
  }

  // *square += that of the gradient's 2-norm.
  void add_square(double* square) {
    const int64_t terms = count_ * columns_;
    auto *room = room_.template as<double>(), *own = room + whole_sum_room(terms);
    whole_sum(policy_, terms, RowSquare{places(), Divisor(columns_), sums_.template as<float>()}, room, own);
    policy_.launch(1, AddDouble{own, square});
  }

  // offset: of the table in the flat parameters; average: of these, or nullptr.
  template <class Step>
  void update(const Step& step, int32_t slot, int64_t offset, float* average, float keep) {
    policy_.launch(count_ * columns_, UpdateRows<Step>{places(), Divisor(columns_), columns_,
                                                       sums_.template as<float>(), step, slot, offset, average, keep});
  }

 private:
  SortedPlaces places() const { return {keys_.template as<uint64_t>(), count_}; }

  // Each pass reads one buffer and writes the other, so that the last one writes keys_.
  void sort(const int32_t* tokens) {
    auto *to = keys_.template as<uint64_t>(), *from = other_keys_.template as<uint64_t>();
    for (int64_t run = kSortedRun; run < count_; run *= 2) std::swap(from, to);
    policy_.launch(count_, PlaceKey{tokens, from});
    policy_.launch(count_, SortRun{count_, from, to});
    for (int64_t run = kSortedRun; run < count_; run *= 2) {
      std::swap(from, to);
      policy_.launch(count_, MergeRuns{count_, run, from, to});
    }
  }

  P& policy_;
  int64_t columns_, count_ = 0;  // places of the batch read last
  Memory<P> keys_, other_keys_;  // in order; on the way there
  Memory<P> sums_;               // [places, width], of which those at a token's first place are its gradient
  Memory<P> room_;               // of whole_sum, and its result
};

}  // namespace lepton::cuda
