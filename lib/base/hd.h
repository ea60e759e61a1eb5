#pragma once
// LEPTON_HD marks a function that compiles for host and device; the one place that asks which compiler this is.
#ifdef __CUDACC__
#define LEPTON_HD __host__ __device__ inline
#else
#define LEPTON_HD inline
#endif
