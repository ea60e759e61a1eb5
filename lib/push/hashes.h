#pragma once
// What a file is, to the byte: the hashes that we name objects by and that providers answer with.
#include <cstdint>
#include <string>
#include <string_view>

namespace lepton {

struct FileHashes {
  int64_t size = 0;
  std::string sha256, md5;  // lower-case hex
  bool operator==(const FileHashes&) const = default;
};

// Reads the file once. Error(no_input) if it cannot be read.
FileHashes hash_file(const std::string& path);
FileHashes hash_text(std::string_view text);

// CRC-32C (Castagnoli, RFC 3720 appendix B.4), lower-case hex of 32 bits. Error(no_input).
std::string crc32c_file(const std::string& path);
std::string crc32c_text(std::string_view text);

}  // namespace lepton
