// Bytes of any kind are read as rows: whatever the sizes in which they come, the same rows, and none is lost silently.
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "io/csv.h"

namespace {

std::vector<std::string> rows_of(std::string_view text, char delimiter, size_t step) {
  const lepton::ByteSource whole = lepton::memory_bytes(text);
  const lepton::ByteSource parts = [&](std::span<uint8_t> bytes) {
    return whole(bytes.first(std::min(step, bytes.size())));
  };
  std::vector<std::string> rows;
  try {
    lepton::CsvReader reader(parts, "fuzz", {.delimiter = delimiter, .max_row_bytes = 200});
    for (lepton::CsvRow row; reader.next(row);) {
      std::string text_of = std::to_string(row.line) + ":" + row.problem;
      for (const std::string_view field : row.fields) text_of.append("\x1f").append(field);
      rows.push_back(text_of);
      if (rows.size() > text.size()) std::abort();
    }
  } catch (const lepton::Error&) {
  }
  return rows;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  std::string dense(raw);  // the same with a character that matters wherever one can be
  for (char& c : dense) c = ",\"\n\"\ra;\0"[static_cast<uint8_t>(c) % 8];
  for (const std::string_view text : {raw, std::string_view(dense)}) {
    const char delimiter = lepton::detect_delimiter(text, size % 2 == 0);
    lepton::has_header(lepton::first_rows(text, true, delimiter, 10));
    if (rows_of(text, delimiter, 1) != rows_of(text, delimiter, size + 1)) std::abort();
  }
  return 0;
}
