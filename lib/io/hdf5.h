#pragma once
// HDF5: writing whole files, and reading files of strangers through a child process.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "io/files.h"
#include "io/sha256.h"

namespace lepton {

enum class H5Type : uint8_t { u8, i32, i64, f32, string };  // string: fixed length, zero-padded
size_t h5_type_size(H5Type type);                           // 1 for string: multiply by its length

// How a data set is stored. Chunks hold `chunk_rows` whole rows of the first axis; 0 = one chunk for all.
struct H5Storage {
  int64_t chunk_rows = 0;
  bool deflate = false;  // with shuffle; Fletcher-32 always
};

// Writes one file; equal calls give equal bytes. Groups come into being with what is in them. Errors are Exit::output
// and begin with `name` (the path where it is empty). Without close() the file is worthless.
class H5Writer {
 public:
  explicit H5Writer(const std::string& path, const std::string& name = "");
  ~H5Writer();
  H5Writer(const H5Writer&) = delete;
  H5Writer& operator=(const H5Writer&) = delete;

  void attribute(const std::string& group, const std::string& name, const std::string& value);
  void attribute(const std::string& group, const std::string& name, int64_t value);
  // A whole data set. dims: rows first; string_length for H5Type::string.
  void dataset(const std::string& path, H5Type type, std::span<const int64_t> dims, std::span<const uint8_t> bytes,
               const H5Storage& storage, int64_t string_length = 1);
  void text(const std::string& path, const std::string& value);                // one string
  void strings(const std::string& path, std::span<const std::string> values);  // padded to the longest
  // A data set that grows by rows: begin, then append any number of times.
  void begin_rows(const std::string& path, H5Type type, std::span<const int64_t> row_dims, const H5Storage& storage,
                  int64_t string_length = 1);
  void append_rows(const std::string& path, std::span<const uint8_t> bytes, int64_t rows);
  // SHA-256 over all data sets in order of path: path, type, dims and SHA-256 of the raw bytes of each.
  // lepton-formats(5).
  std::string content_sha256() const;
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A data set of a file read: small ones with their bytes, large ones with the places of their chunks.
struct H5Chunk {
  int64_t first_row = 0, offset = 0, bytes = 0;  // bytes without the four of the checksum behind them
};
struct H5Data {
  H5Type type = H5Type::u8;
  int64_t string_length = 1;
  std::vector<int64_t> dims;
  std::vector<uint8_t> bytes;   // all of it, or empty where chunks are given
  std::vector<H5Chunk> chunks;  // in order of first_row, without gaps
  int64_t chunk_rows = 0;
  bool fletcher = false;

  int64_t rows() const { return dims.empty() ? 1 : dims[0]; }
  int64_t row_bytes() const;
  int64_t total_bytes() const { return rows() * row_bytes(); }
};

// A whole file as the child process saw it and the parent believed it.
struct H5Contents {
  std::string name;
  FileDescriptor file;
  uint64_t serial = 0;  // which opening this is, never the same twice in a process
  std::map<std::string, std::map<std::string, std::variant<int64_t, std::string>>> attributes;  // of each group
  std::map<std::string, H5Data> data;                                                           // by absolute path
};

// Opens the file, "-" spooled. integrity (6): not HDF5, cut short, damaged, or a file that kills or stalls the child;
// mismatch (7): links out of the file, foreign filters, or types and layouts that our formats do not have.
H5Contents read_hdf5(const std::string& path);

// Rows [first, first+count) into `out`, checksums verified; Error(integrity). Thread-safe.
void read_rows(const H5Contents& contents, const std::string& path, int64_t first, int64_t count,
               std::span<uint8_t> out);
// A hint to the system: the chunk of this row is read soon.
void expect_row(const H5Contents& contents, const std::string& path, int64_t row);
std::vector<uint8_t> read_all(const H5Contents& contents, const std::string& path);

// The content hash of lepton-formats(5) over data sets told in byte order of path.
class ContentHash {
 public:
  void add(const std::string& path, H5Type type, int64_t string_length, std::span<const int64_t> dims,
           const Digest& bytes);
  std::string finish();

 private:
  Sha256 hash_;
};
// Reads everything whose path `covers` says yes to.
std::string content_sha256(const H5Contents& contents, const std::function<bool(const std::string&)>& covers);

// As HDF5's filter 3 computes it over a chunk's bytes.
uint32_t fletcher32(std::span<const uint8_t> bytes);

}  // namespace lepton
