#pragma once
// The words and options of one layer as numbers. Errors (usage) name line, layer, word and what is accepted.
#include <initializer_list>
#include <string>
#include <utility>

#include "net/graph.h"
#include "net/parse.h"

namespace lepton {

// Far above anything trainable here, far below what would overflow a product of two.
constexpr int64_t kMaxExtent = 1 << 20;
constexpr int64_t kMaxElements = int64_t{1} << 28;    // of one sample's map, or of one parameter
constexpr int64_t kMaxParameters = int64_t{1} << 30;  // of the whole network
constexpr double kMaxFlops = 1e15;
constexpr int64_t kMaxTokens = int64_t{1} << 24;  // distinct ones: a float holds each exactly

// The product, at most kMaxElements; `what` names it.
int64_t limited_product(const Item& item, const char* what, std::initializer_list<int64_t> factors);

// A whole number from `least` to kMaxExtent.
int64_t whole(const Item& item, const std::string& what, const std::string& text, int64_t least);

// "3x3", height first; "3" alone is both, or height 3 with `least` across where `upright`: a sequence has width 1.
std::pair<int64_t, int64_t> extents(const Item& item, const std::string& what, const std::string& text, int64_t least,
                                    bool upright);

// A finite number in [low, high].
double number(const Item& item, const std::string& what, const std::string& text, double low, double high);
double number_option(const Item& item, const char* name, double otherwise, double low, double high);

// What init= says, among those of convolutions and dense layers, or of embeddings.
Init init_of(const Item& item);
Init table_init_of(const Item& item);

}  // namespace lepton
