#include "io/cifar.h"

#include <array>

namespace lepton {

bool is_cifar_batch(const FileDescriptor& fd, const std::string& name) {
  const int64_t size = file_size(fd.get());
  if (size == 0 || size % kCifarRecord != 0) return false;
  for (int64_t offset = 0; offset < size; offset += kCifarRecord) {
    uint8_t label = 0;
    read_at(fd.get(), {&label, 1}, offset, name);
    if (label >= kCifarClasses) return false;
  }
  return true;
}

int read_cifar_record(const FileDescriptor& fd, const std::string& name, int64_t index, std::vector<uint8_t>& pixels) {
  constexpr size_t kPlane = kCifarSide * kCifarSide;
  std::array<uint8_t, kCifarRecord> record;
  read_at(fd.get(), record, index * kCifarRecord, name);
  pixels.resize(3 * kPlane);
  for (size_t i = 0; i < kPlane; ++i) {
    for (size_t channel = 0; channel < 3; ++channel) pixels[3 * i + channel] = record[1 + channel * kPlane + i];
  }
  return record[0];
}

}  // namespace lepton
