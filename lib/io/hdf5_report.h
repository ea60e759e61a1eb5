#pragma once
// What the child process that runs libhdf5 tells its parent, as bytes.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/hdf5.h"

namespace lepton {

// Appends integers (8 bytes, little-endian) and strings with their length.
class ReportWriter {
 public:
  void number(int64_t value);
  void text(std::string_view value);
  std::vector<uint8_t> bytes;
};

enum class ReportTag : int64_t { refused, string_attribute, number_attribute, bytes_follow, chunks, end };

// Believes nothing: every count and place is checked against the report's and the file's size. Error(integrity) on
// nonsense; the refusal itself where the child sent one. Fills attributes and data of `contents`.
void parse_report(std::span<const uint8_t> report, int64_t file_bytes, H5Contents& contents);

// The child's work: libhdf5 on an open file, the report written to `out` as it grows. Never throws.
void report_hdf5(int file, int out) noexcept;

}  // namespace lepton
