// What a broken child could hand back: no report may make the parent crash, read outside the file or ask for memory
// that the report does not stand for.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "io/hdf5_report.h"

namespace lepton {
namespace {

constexpr int64_t kFileBytes = 70'000;

// A report with each kind of entry, so that mutations of it go deep.
std::vector<uint8_t> honest_report() {
  ReportWriter report;
  const auto head = [&](ReportTag tag, const char* path) {
    report.number(static_cast<int64_t>(tag));
    report.text(path);
  };
  head(ReportTag::string_attribute, "/");
  report.text("format");
  report.text("lepton-dataset");
  head(ReportTag::number_attribute, "/train");
  report.text("n");
  report.number(5);
  head(ReportTag::bytes_follow, "/train/y");
  for (const int64_t value : {int64_t{1}, int64_t{1}, int64_t{1}, int64_t{5}}) report.number(value);
  report.bytes.resize(report.bytes.size() + 20);
  head(ReportTag::chunks, "/train/x");
  // u8, no string, 3 axes 5 x 100 x 100, checksums, 2 rows a chunk, 3 chunks
  for (const int64_t value : {0, 1, 3, 5, 100, 100, 1, 2, 3, 0, 20'004, 40'008}) report.number(value);
  report.number(static_cast<int64_t>(ReportTag::end));
  return report.bytes;
}

FileDescriptor zeros() {
  FileDescriptor file(::memfd_create("fuzz", MFD_CLOEXEC));
  if (::ftruncate(file.get(), kFileBytes) != 0) fail(Exit::failed, "no memory file");
  return file;
}

}  // namespace
}  // namespace lepton

// The first byte chooses: the rest as a report, or as edits (place, value) of an honest one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lepton;
  static const std::vector<uint8_t> honest = honest_report();
  static const FileDescriptor file = zeros();
  std::vector<uint8_t> report(data, data + size);
  if (size > 0 && data[0] % 4 != 0) {
    report = honest;
    for (size_t i = 1; i + 2 < std::min<size_t>(size, 25); i += 3) {
      report[(data[i] * 256U + data[i + 1]) % report.size()] = data[i + 2];
    }
  }
  H5Contents contents;
  contents.name = "fuzz";
  contents.file.reset(::fcntl(file.get(), F_DUPFD_CLOEXEC, 3));
  try {
    parse_report(report, kFileBytes, contents);
    (void)content_sha256(contents, [](const std::string&) { return true; });
  } catch (const Error& error) {
    if (error.status() != Exit::integrity && error.status() != Exit::mismatch) __builtin_trap();
  }
  return 0;
}
