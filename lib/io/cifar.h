#pragma once
// CIFAR-10 binary batches: records of one label byte and 3 x 1024 bytes, the red, green and blue planes of a 32x32
// image.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/files.h"

namespace lepton {

constexpr int64_t kCifarSide = 32;
constexpr int64_t kCifarRecord = 1 + 3 * kCifarSide * kCifarSide;
constexpr int kCifarClasses = 10;

// True if the file is whole records whose labels are all below 10.
bool is_cifar_batch(const FileDescriptor& fd, const std::string& name);

// Record `index` of the file: its label, and its pixels as [32,32,3] in `pixels`. Error(integrity) past the end.
// Thread-safe.
int read_cifar_record(const FileDescriptor& fd, const std::string& name, int64_t index, std::vector<uint8_t>& pixels);

}  // namespace lepton
