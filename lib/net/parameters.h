#pragma once
// Initial values of a network's parameters.
#include <span>

#include "base/tensor.h"
#include "net/graph.h"

namespace lepton {

// Every parameter of the graph by its Init, as a pure function of seed and the parameter's position. Whitening kernels
// are left zero: set_whitening fills them from data.
ParameterSet initial_parameters(const Graph& graph, uint64_t seed);

// Fills kernels with Init::whiten from n images [n,H,W,C], already normalised: eigenvectors v of the covariance of all
// kernel-sized patches over sqrt(eigenvalue + 5e-4), then their negatives (GPU.md's speed94; Jordan 2024).
void set_whitening(ParameterSet& parameters, const Graph& graph, std::span<const float> images, int64_t n);

// Throws Error(mismatch) naming the first tensor whose absence or shape does not fit the graph.
void check_parameters(const ParameterSet& parameters, const Graph& graph);

}  // namespace lepton
