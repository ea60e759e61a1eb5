#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "io/hdf5.h"
#include "io/hdf5_report.h"

namespace lepton {
namespace {

constexpr int kSilenceMs = 10'000;  // a child that says nothing for so long is given up
constexpr rlim_t kCpuSeconds = 60;
constexpr rlim_t kMemoryBytes = rlim_t{3} << 30;  // address space of the child
constexpr int64_t kMostReport = int64_t{16} << 30;

[[noreturn]] void be_the_child(int file, int out) {
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, STDERR_FILENO);
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTERM, SIGINT}) ::signal(number, SIG_DFL);
  const rlimit none{0, 0}, cpu{kCpuSeconds, kCpuSeconds};
  ::setrlimit(RLIMIT_CORE, &none);
  ::setrlimit(RLIMIT_FSIZE, &none);
  ::setrlimit(RLIMIT_CPU, &cpu);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // sanitizers reserve terabytes of addresses
  const rlimit memory{kMemoryBytes, kMemoryBytes};
  ::setrlimit(RLIMIT_AS, &memory);
#endif
  report_hdf5(file, out);
  ::_exit(0);
}

// Everything the child writes, or nothing where it stalls, dies or floods.
bool collect(int from, std::vector<uint8_t>& report) {
  std::vector<uint8_t> buffer(size_t{1} << 18);
  for (;;) {
    pollfd waiting{from, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, kSilenceMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return true;
    if (static_cast<int64_t>(report.size()) + got > kMostReport) return false;
    report.insert(report.end(), buffer.begin(), buffer.begin() + got);
  }
}

std::vector<uint8_t> ask_child(int file, const std::string& name) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail(Exit::failed, "{}: no pipe: {}", name, std::strerror(errno));
  FileDescriptor from(ends[0]), to(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) fail(Exit::failed, "{}: no process to read it: {}", name, std::strerror(errno));
  if (child == 0) be_the_child(file, to.get());
  to.reset();
  std::vector<uint8_t> report;
  const bool whole = collect(from.get(), report);
  if (!whole) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!whole) fail(Exit::integrity, "{}: damaged or hostile: HDF5's own reader stalled on it", name);
  if (status != 0) fail(Exit::integrity, "{}: damaged or hostile: HDF5's own reader died of it", name);
  return report;
}

}  // namespace

H5Contents read_hdf5(const std::string& path) {
  H5Contents contents;
  contents.name = path == "-" ? "standard input" : path;
  contents.file = open_input(path);
  constexpr uint8_t kSignature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  uint8_t begin[8] = {};
  const int64_t size = file_size(contents.file.get());
  if (size >= 8) read_at(contents.file.get(), begin, 0, contents.name);
  if (std::memcmp(begin, kSignature, 8) != 0) fail(Exit::integrity, "{}: is not an HDF5 file", contents.name);
  parse_report(ask_child(contents.file.get(), contents.name), size, contents);
  return contents;
}

uint32_t fletcher32(std::span<const uint8_t> bytes) {
  uint32_t sum1 = 0, sum2 = 0;
  const auto fold = [](uint32_t sum) { return (sum & 0xffffU) + (sum >> 16); };
  size_t at = 0;
  const size_t even = bytes.size() & ~size_t{1};
  while (at < even) {
    const size_t end = std::min(even, at + 720);  // so many words fit before 32 bits overflow
    for (; at < end; at += 2) {
      sum1 += static_cast<uint32_t>(bytes[at] << 8 | bytes[at + 1]);
      sum2 += sum1;
    }
    sum1 = fold(sum1);
    sum2 = fold(sum2);
  }
  if (even < bytes.size()) {
    sum1 = fold(sum1 + (static_cast<uint32_t>(bytes.back()) << 8));
    sum2 = fold(sum2 + sum1);
  }
  return fold(sum2) << 16 | fold(sum1);
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
  thread_local std::vector<uint8_t> buffer;
  while (count > 0) {
    const H5Chunk& chunk = data.chunks[static_cast<size_t>(first / data.chunk_rows)];
    const int64_t skip = first - chunk.first_row, take = std::min(count, data.chunk_rows - skip);
    const std::span<uint8_t> into = out.first(static_cast<size_t>(take * row));
    if (!data.fletcher) {
      read_at(contents.file.get(), into, chunk.offset + skip * row, contents.name);
    } else {
      buffer.resize(static_cast<size_t>(chunk.bytes));
      read_at(contents.file.get(), buffer, chunk.offset, contents.name);
      const std::span<const uint8_t> body = std::span(buffer).first(buffer.size() - 4);
      uint32_t stored = 0;
      for (size_t i = 0; i < 4; ++i) stored |= static_cast<uint32_t>(buffer[body.size() + i]) << (8 * i);
      if (fletcher32(body) != stored) {
        fail(Exit::integrity, "{}: {}: checksum wrong in rows {} to {}", contents.name, path, chunk.first_row,
             chunk.first_row + data.chunk_rows - 1);
      }
      std::copy_n(body.begin() + skip * row, take * row, into.begin());
    }
    out = out.subspan(static_cast<size_t>(take * row));
    first += take;
    count -= take;
  }
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

std::string content_sha256(const H5Contents& contents) {
  ContentHash hash;
  constexpr int64_t kSlab = int64_t{8} << 20;
  std::vector<uint8_t> buffer;
  for (const auto& [path, data] : contents.data) {
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
