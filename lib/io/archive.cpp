#include "io/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace lepton {

struct ArchiveReader::State {
  FileDescriptor fd;
  std::string name;
  ArchiveLimits limits;
  archive* handle = nullptr;
  int64_t members = 0;

  ~State() { archive_read_free(handle); }
};

ArchiveReader::ArchiveReader(FileDescriptor fd, std::string name, const ArchiveLimits& limits)
    : state_(std::make_unique<State>()) {
  state_->fd = std::move(fd);
  state_->name = std::move(name);
  state_->limits = limits;
  rewind();
}

ArchiveReader::~ArchiveReader() = default;

void ArchiveReader::rewind() {
  State& s = *state_;
  archive_read_free(s.handle);
  s.members = 0;
  s.handle = archive_read_new();
  // Only filters that run in this process: "all" would start programs found in PATH.
  archive_read_support_filter_gzip(s.handle);
  archive_read_support_filter_bzip2(s.handle);
  archive_read_support_filter_xz(s.handle);
  archive_read_support_filter_zstd(s.handle);
  archive_read_support_format_tar(s.handle);
  archive_read_support_format_zip(s.handle);
  ::lseek(s.fd.get(), 0, SEEK_SET);
  if (archive_read_open_fd(s.handle, s.fd.get(), size_t{1} << 18) != ARCHIVE_OK) {
    fail(Exit::no_input, "{}: is not an archive this program reads: {}", s.name, archive_error_string(s.handle));
  }
}

bool ArchiveReader::next(ArchiveMember& member) {
  State& s = *state_;
  for (;;) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(s.handle, &entry);
    if (status == ARCHIVE_EOF) return false;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
      const char* why = archive_error_string(s.handle);
      fail(Exit::integrity, "{}: the archive is damaged after {} members: {}", s.name, with_commas(s.members),
           why ? why : "unknown format");
    }
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    if (++s.members > s.limits.max_members) {
      fail(Exit::integrity, "{}: more than {} members (--max-members)", s.name, with_commas(s.limits.max_members));
    }
    const char* path = archive_entry_pathname(entry);
    if (path == nullptr) path = archive_entry_pathname_utf8(entry);
    std::string_view name = path ? path : "";
    while (name.starts_with("./") || name.starts_with('/')) name.remove_prefix(name.front() == '/' ? 1 : 2);
    member.path.assign(name);
    member.bytes.clear();
    member.problem.clear();
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_filetype(entry) != AE_IFREG) {
      member.problem = "is a link or special file inside an archive";
      return true;
    }
    read_bytes(member, archive_entry_size(entry));
    return true;
  }
}

void ArchiveReader::read_bytes(ArchiveMember& member, int64_t declared) {
  State& s = *state_;
  const auto limit = static_cast<size_t>(s.limits.max_member_bytes);
  // The declared size may lie: it only decides the first reservation.
  member.bytes.resize(std::min({static_cast<size_t>(std::max<int64_t>(declared, 0)) + 1, limit + 1, size_t{1} << 20}));
  size_t filled = 0;
  for (;;) {
    if (filled == member.bytes.size()) member.bytes.resize(std::min(limit + 1, 2 * filled));
    const la_ssize_t got = archive_read_data(s.handle, member.bytes.data() + filled, member.bytes.size() - filled);
    if (got < 0) {
      fail(Exit::integrity, "{}: the archive is damaged in {}: {}", s.name, member.path,
           archive_error_string(s.handle));
    }
    if (got == 0) break;
    filled += static_cast<size_t>(got);
    if (filled > limit) {
      member.problem = fmt::format("holds more than the {} bytes allowed (--max-file-bytes)",
                                   with_commas(s.limits.max_member_bytes));
      member.bytes.clear();
      archive_read_data_skip(s.handle);
      return;
    }
  }
  member.bytes.resize(filled);
}

bool looks_like_tar(const std::vector<uint8_t>& head) {
  return head.size() >= 262 && std::memcmp(head.data() + 257, "ustar", 5) == 0;
}

bool looks_like_zip(const std::vector<uint8_t>& head) {
  return head.size() >= 4 && std::memcmp(head.data(), "PK\3\4", 4) == 0;
}

bool looks_compressed(const std::vector<uint8_t>& head) {
  const auto begins = [&](std::initializer_list<uint8_t> magic) {
    return head.size() >= magic.size() && std::equal(magic.begin(), magic.end(), head.begin());
  };
  return begins({'B', 'Z', 'h'}) || begins({0xFD, '7', 'z', 'X', 'Z', 0}) || begins({0x28, 0xB5, 0x2F, 0xFD});
}

}  // namespace lepton
