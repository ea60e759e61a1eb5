#pragma once
// Archives read as streams, without unpacking: tar and zip, plain or compressed (gzip, bzip2, xz, zstd).
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/files.h"

namespace lepton {

struct ArchiveLimits {
  int64_t max_members = 10'000'000;
  int64_t max_member_bytes = int64_t{1} << 28;
};

struct ArchiveMember {
  std::string path;            // without leading "./" and "/"
  std::vector<uint8_t> bytes;  // empty where there is a problem
  std::string problem;         // why this member cannot be used; empty = fine
};

// One pass over the members that are files or links; folders are not members. Not thread-safe.
class ArchiveReader {
 public:
  // fd must be seekable (spool a pipe first) and is read from its beginning. Error(no_input) if it is no archive.
  ArchiveReader(FileDescriptor fd, std::string name, const ArchiveLimits& limits);
  ~ArchiveReader();
  // The next member, false after the last. Error(integrity) where the archive is damaged or breaks a limit.
  bool next(ArchiveMember& member);
  void rewind();

 private:
  struct State;
  void read_bytes(ArchiveMember& member, int64_t declared);
  std::unique_ptr<State> state_;
};

// What a content begins as; `head` holds its first 512 bytes, or fewer, below gzip if it is so compressed.
bool looks_like_tar(const std::vector<uint8_t>& head);
bool looks_like_zip(const std::vector<uint8_t>& head);
bool looks_compressed(const std::vector<uint8_t>& head);  // bzip2, xz or zstd

}  // namespace lepton
