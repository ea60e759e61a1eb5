// An IDX file of any content is read whole or refused.
#include <sys/mman.h>

#include <vector>

#include "base/error.h"
#include "io/files.h"
#include "io/idx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A header that is an IDX header, so that mutations reach what comes after it.
  for (const bool plausible : {false, true}) {
    std::vector<uint8_t> bytes = {0, 0, 8, 3, 0, 0, 0, static_cast<uint8_t>(size % 7), 0, 0, 0, 3, 0, 0, 0, 2};
    if (!plausible) bytes.clear();
    bytes.insert(bytes.end(), data, data + size);
    lepton::FileDescriptor file(::memfd_create("idx", MFD_CLOEXEC));
    lepton::write_all(file.get(), bytes, "idx");
    try {
      lepton::IdxReader reader(std::move(file), "idx");
      std::vector<uint8_t> item;
      if (reader.item_shape().elements() > 1'000'000) continue;
      for (int64_t i = 0; i < reader.size(); ++i) reader.read_next(item);
      reader.finish();
    } catch (const lepton::Error&) {
    }
  }
  return 0;
}
