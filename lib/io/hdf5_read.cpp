#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "base/error.h"
#include "io/guard.h"
#include "io/hdf5.h"
#include "io/hdf5_report.h"

namespace lepton {
namespace {

// A user block of 512, 1024, ... bytes may precede HDF5; ours have none.
void check_signature(int fd, int64_t size, const std::string& name) {
  constexpr std::array<uint8_t, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  std::array<uint8_t, 8> begin{};
  for (int64_t at = 0; at + 8 <= size; at = at == 0 ? 512 : 2 * at) {
    read_at(fd, begin, at, name);
    if (begin != kSignature) continue;
    if (at > 0) fail(Exit::mismatch, "{}: HDF5 behind a user block, not a file of ours", name);
    return;
  }
  fail(Exit::integrity, "{}: {}", name, size == 0 ? "is empty, expected an HDF5 file" : "is not an HDF5 file");
}

// The data of one whole chunk, checksum verified, into `out` (without the checksum's four bytes).
void read_chunk(const H5Contents& contents, const std::string& path, const H5Data& data, const H5Chunk& chunk,
                std::span<uint8_t> out) {
  const int fd = contents.file.get();
  if (!data.fletcher) return read_at(fd, out, chunk.offset, contents.name);
  std::array<uint8_t, 4> tail{};
  read_at(fd, out, chunk.offset, contents.name);
  read_at(fd, tail, chunk.offset + static_cast<int64_t>(out.size()), contents.name);
  uint32_t stored = 0;
  for (size_t i = 0; i < tail.size(); ++i) stored |= static_cast<uint32_t>(tail[i]) << (8 * i);
  if (fletcher32(out) == stored) return;
  fail(Exit::integrity, "{}: {}: checksum wrong in rows {} to {}; the file is damaged, make it anew", contents.name,
       path, chunk.first_row, chunk.first_row + data.chunk_rows - 1);
}

// One whole chunk, its checksum verified. The last ones read of two data sets stay with the thread: neighbours often
// follow, and samples are read in turn with their ids.
std::span<const uint8_t> load_chunk(const H5Contents& contents, const std::string& path, const H5Data& data,
                                    size_t index) {
  struct Last {
    uint64_t serial = 0;
    const H5Data* data = nullptr;
    size_t index = 0;
    std::vector<uint8_t> bytes;
  };
  thread_local std::array<Last, 2> lasts;
  thread_local size_t turn = 0;
  if (lasts[turn].serial != contents.serial || lasts[turn].data != &data) turn = 1 - turn;
  Last& last = lasts[turn];
  const H5Chunk& chunk = data.chunks[index];
  if (last.serial != contents.serial || last.data != &data || last.index != index) {
    last.serial = 0;
    last.bytes.resize(static_cast<size_t>(chunk.bytes));
    read_chunk(contents, path, data, chunk, last.bytes);
    last = {contents.serial, &data, index, std::move(last.bytes)};
  }
  return last.bytes;
}

}  // namespace

H5Contents read_hdf5(const std::string& path) {
  H5Contents contents;
  contents.name = path == "-" ? "standard input" : path;
  contents.file = open_input(path);
  if (contents.file.get() <= STDERR_FILENO) contents.file = open_spooled(contents.file.get());  // where 0 was closed
  const int fd = contents.file.get();
  const int64_t size = file_size(fd);
  check_signature(fd, size, contents.name);
  static std::atomic<uint64_t> opened{0};
  contents.serial = ++opened;
  GuardLimits limits;
  limits.answer_bytes += 8 * size;  // small data sets come compressed or padded
  limits.cpu_seconds += static_cast<int>(size >> 30);
  limits.wall_seconds += static_cast<int>(size >> 29);
  parse_report(run_guarded([fd](int out) { report_hdf5(fd, out); }, limits, contents.name), size, contents);
  return contents;
}

void read_rows(const H5Contents& contents, const std::string& path, int64_t first, int64_t count,
               std::span<uint8_t> out) {
  const auto it = contents.data.find(path);
  if (it == contents.data.end()) fail(Exit::bug, "{}: has no {}", contents.name, path);
  const H5Data& data = it->second;
  const int64_t row = data.row_bytes();
  if (first < 0 || count < 0 || first + count > data.rows() || static_cast<int64_t>(out.size()) != count * row) {
    fail(Exit::bug, "{}: {}: rows {}+{} asked of {}", contents.name, path, first, count, data.rows());
  }
  if (data.chunks.empty()) {
    std::copy_n(data.bytes.begin() + first * row, count * row, out.begin());
    return;
  }
  while (count > 0) {
    const auto index = static_cast<size_t>(first / data.chunk_rows);
    const H5Chunk& chunk = data.chunks[index];
    const int64_t skip = first - chunk.first_row, take = std::min(count, data.chunk_rows - skip);
    const std::span<uint8_t> into = out.first(static_cast<size_t>(take * row));
    if (take == data.chunk_rows) {
      read_chunk(contents, path, data, chunk, into);
    } else if (!data.fletcher) {
      read_at(contents.file.get(), into, chunk.offset + skip * row, contents.name);
    } else {
      std::copy_n(load_chunk(contents, path, data, index).begin() + skip * row, into.size(), into.begin());
    }
    out = out.subspan(into.size());
    first += take;
    count -= take;
  }
}

void expect_row(const H5Contents& contents, const std::string& path, int64_t row) {
  const H5Data& data = contents.data.at(path);
  if (data.chunks.empty()) return;
  const H5Chunk& chunk = data.chunks[static_cast<size_t>(row / data.chunk_rows)];
  ::posix_fadvise(contents.file.get(), chunk.offset, chunk.bytes, POSIX_FADV_WILLNEED);
}

std::vector<uint8_t> read_all(const H5Contents& contents, const std::string& path) {
  const auto it = contents.data.find(path);
  if (it == contents.data.end()) fail(Exit::mismatch, "{}: lacks {}", contents.name, path);
  if (it->second.chunks.empty()) return it->second.bytes;
  std::vector<uint8_t> bytes(static_cast<size_t>(it->second.total_bytes()));
  read_rows(contents, path, 0, it->second.rows(), bytes);
  return bytes;
}

void ContentHash::add(const std::string& path, H5Type type, int64_t string_length, std::span<const int64_t> dims,
                      const Digest& bytes) {
  constexpr const char* kNames[] = {"u8", "i32", "i64", "f32", "string"};
  std::string line = path + "\t" + kNames[static_cast<size_t>(type)] + "\t" + std::to_string(string_length) + "\t";
  for (const int64_t extent : dims) line += std::to_string(extent) + ",";
  hash_.update(line + "\t" + to_hex(bytes) + "\n");
}

std::string ContentHash::finish() { return to_hex(hash_.finish()); }

std::string content_sha256(const H5Contents& contents, const std::function<bool(const std::string&)>& covers) {
  ContentHash hash;
  constexpr int64_t kSlab = int64_t{8} << 20;
  std::vector<uint8_t> buffer;
  for (const auto& [path, data] : contents.data) {
    if (!covers(path)) continue;
    Sha256 bytes;
    const int64_t row = data.row_bytes();
    const int64_t slab =
        data.chunks.empty()
            ? std::max<int64_t>(1, data.rows())
            : std::max(data.chunk_rows, kSlab / std::max<int64_t>(1, row) / data.chunk_rows * data.chunk_rows);
    for (int64_t first = 0; first < data.rows(); first += slab) {
      const int64_t count = std::min(slab, data.rows() - first);
      buffer.resize(static_cast<size_t>(count * row));
      read_rows(contents, path, first, count, buffer);
      bytes.update(buffer);
    }
    hash.add(path, data.type, data.string_length, data.dims, bytes.finish());
  }
  return hash.finish();
}

}  // namespace lepton
