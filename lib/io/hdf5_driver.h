#pragma once
// A file driver for libhdf5 that reads an open descriptor and knows where chunks lie. Only for the child process.
#include <hdf5.h>

namespace lepton {

// The driver's identifier, for H5Pset_driver. A file opened by it is named by the number of its descriptor.
hid_t descriptor_driver();

// Place of the chunk at these coordinates, or HADDR_UNDEF where there is none; filters: those it skipped. libhdf5 1.10
// itself answers in time proportional to the number of chunks; here its reading of the chunk is watched, which finds
// it through the index, and reads nothing.
haddr_t chunk_address(hid_t dataset, const hsize_t* coordinates, uint32_t& filters);

}  // namespace lepton
