#pragma once
// Whole files in, whole files out: reading, spooling of pipes, and outputs that appear complete or not at all.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lepton {

// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Opens for reading; Error(no_input) names path and reason. "-" spools standard input (open_spooled).
FileDescriptor open_input(const std::string& path);
// Copies a descriptor that cannot seek into an unlinked temporary file under $TMPDIR; a seekable one is duplicated.
FileDescriptor open_spooled(int fd);
std::vector<uint8_t> read_file(const std::string& path, int64_t max_bytes = int64_t{1} << 40);
int64_t file_size(int fd);
// Fills the whole span or throws Error(integrity) ("name: ends at byte N").
void read_at(int fd, std::span<uint8_t> bytes, int64_t offset, std::string_view name);
// Error(output); BrokenPipe.
void write_all(int fd, std::span<const uint8_t> bytes, std::string_view name);
void copy_to(int from, int to, std::string_view name);  // all of `from`, from its start; Error(output)
std::filesystem::path temporary_folder();               // $TMPDIR or /tmp
FileDescriptor unnamed_file();                          // unlinked, in temporary_folder(); Error(output)

// An output written beside its target under ".NAME.lepton-PID-XXXXXX" and renamed onto it by commit(). Destroyed before
// that, or killed, it leaves the target as it was; leftovers of dead processes are removed by the next output of that
// name. Signal handlers may call unlink_pending_outputs(). "-" and devices get a spool that commit() copies to them; a
// terminal is refused with Error(usage).
class AtomicFile {
 public:
  explicit AtomicFile(std::string target);  // probes at once that the folder can be written; Error(output)
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();
  const std::string& path() const { return temporary_; }  // where to write
  const std::string& target() const { return target_; }
  void commit();  // flush to disk, rename, flush the folder

 private:
  std::string target_, temporary_, destination_;  // destination_: target_ behind symbolic links
  bool through_spool_ = false;
  FileDescriptor lock_;  // held while the temporary is ours
};
void unlink_pending_outputs() noexcept;  // async-signal-safe

}  // namespace lepton
