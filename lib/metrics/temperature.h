#pragma once
// How sure a model may be.
#include <cstdint>
#include <optional>
#include <span>

namespace lepton {

// The temperature T whose softmax(logits / T) gives the labels the least log-loss (Guo et al. 2017); logits
// [n, classes], labels [n]. The loss is convex in 1/T, whose root of the derivative is found by bisection. nullopt
// where it lies outside 0.01 to 100: the samples do not determine it, since all are answered right or none better than
// by chance.
std::optional<double> fit_temperature(std::span<const float> logits, std::span<const int32_t> labels, int64_t classes);

}  // namespace lepton
